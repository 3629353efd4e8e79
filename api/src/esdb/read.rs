//! Reading so many events: of one stream or of all, in either direction.

use std::collections::VecDeque;
use std::sync::Arc;

use cx_ledger::{Direction, RawEvent};
use cx_model::{Position, StreamName};
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use prost::Message;
use tonic::Status;

use super::event::Ids;
use super::fault::Fault;
use super::filter::Filter;
use super::links::Links;
use super::portion::Portion;
use super::state::{Deleted, StreamState};
use super::store::Store;
use super::taking::Pages;
use super::wire::shared::StreamIdentifier;
use super::wire::streams::{
    FromPosition, FromRevision, NotFound, ReadContent, ReadOptions, ReadResp,
};

/// The messages of an answer.
pub(super) type Answer = BoxStream<'static, Result<ReadResp, Status>>;

/// A message.
pub(super) fn message(content: ReadContent) -> ReadResp {
    ReadResp { content: Some(content) }
}

/// How events are told.
#[derive(Clone)]
pub(super) struct Telling {
    pub store: Arc<Store>,
    pub room: Pages,
    pub ids: Ids,
    pub resolve_links: bool,
    /// Whether the first and last positions are told as well.
    pub ends: bool,
}

impl Telling {
    pub fn of(store: &Arc<Store>, room: Pages, options: &ReadOptions) -> Self {
        Self {
            store: Arc::clone(store),
            room,
            ids: Ids::of(options.ids.as_ref()),
            resolve_links: options.resolve_links,
            ends: options.control.is_some_and(|control| control.compatibility >= 1),
        }
    }

    /// Events as messages.
    pub async fn tell(
        &self,
        events: impl IntoIterator<Item = RawEvent>,
    ) -> Result<VecDeque<ReadResp>, Fault> {
        let mut links = Links::new(&self.store, self.ids, self.resolve_links);
        let mut told = VecDeque::new();
        for event in events {
            told.push_back(message(ReadContent::Event(links.follow(&event).await?)));
        }
        Ok(told)
    }
}

/// Pages until one is empty. Each has its room until it is sent: before it is read, unless it waits
/// for what is not there yet.
pub(super) fn pages<S, F, R>(room: Pages, state: S, waits: fn(&S) -> bool, next: F) -> Answer
where
    S: Send + 'static,
    F: Fn(S) -> R + Send + Sync + Clone + 'static,
    R: Future<Output = Result<Option<(VecDeque<ReadResp>, S)>, Fault>> + Send + 'static,
{
    let pages = stream::unfold(Some(state), move |state| {
        let (next, room) = (next.clone(), room.clone());
        async move {
            // A long search for what a filter wants leaves others their turn.
            tokio::task::consume_budget().await;
            let state = state?;
            let told = async {
                let unread = if waits(&state) { None } else { Some(room.unread().await?) };
                let Some((page, state)) = next(state).await? else { return Ok::<_, Fault>(None) };
                let place = room.of(unread, size(&page)).await?;
                Ok(Some((page, place, state)))
            };
            match told.await {
                Ok(Some((page, place, state))) => {
                    Some((page.into_iter().map(Ok).collect(), Some(place), Some(state)))
                }
                Ok(None) => None,
                Err(fault) => Some((VecDeque::from([Err(Status::from(fault))]), None, None)),
            }
            .map(|(page, place, state)| ((page, place), state))
        }
    });
    let told = |(page, place): (VecDeque<Result<ReadResp, Status>>, Option<_>)| {
        stream::iter(page.into_iter().inspect(move |_| _ = &place))
    };
    pages.flat_map(told).boxed()
}

/// What a page takes up: its messages, and the largest once more as it is sent.
fn size(page: &VecDeque<ReadResp>) -> usize {
    let (all, largest) = page
        .iter()
        .map(Message::encoded_len)
        .fold((0, 0), |(all, most), size| (all + size, size.max(most)));
    all + largest
}

/// A read of one stream.
#[derive(Clone)]
struct StreamRead {
    telling: Telling,
    stream: StreamName,
    direction: Direction,
    /// The first revision that is there.
    first: u64,
    /// The last revision when the read began.
    last: u64,
    next: Option<u64>,
    left: u64,
    not_before: Option<Timestamp>,
    portion: Portion,
    ended: bool,
}

/// Reads so many events of one stream.
pub(super) async fn read_stream(
    telling: Telling,
    stream: StreamName,
    from: Option<FromRevision>,
    direction: Direction,
    count: u64,
) -> Result<Answer, Fault> {
    let state = visible(&telling.store, &stream).await?;
    let last = telling.store.last_revision(&stream).await?;
    let (Some(last), Deleted::No) = (last, state.deleted) else {
        let stream = Some(StreamIdentifier::of(stream.as_str()));
        let told = message(ReadContent::NotFound(NotFound { stream }));
        return Ok(stream::iter([Ok(told)]).boxed());
    };
    let first = state.first(last);
    let next = match (from, direction) {
        (None | Some(FromRevision::Start(_)), Direction::Forwards) => Some(first),
        (Some(FromRevision::Revision(revision)), Direction::Forwards) => Some(revision.max(first)),
        (Some(FromRevision::End(_)), Direction::Forwards) => None,
        (None | Some(FromRevision::End(_)), Direction::Backwards) => Some(last),
        (Some(FromRevision::Revision(revision)), Direction::Backwards) => Some(revision.min(last)),
        (Some(FromRevision::Start(_)), Direction::Backwards) => Some(0),
    };
    let read = StreamRead {
        telling,
        stream,
        direction,
        first,
        last,
        next,
        left: count,
        not_before: state.not_before(Timestamp::now()),
        portion: Portion::default(),
        ended: false,
    };
    Ok(pages(read.telling.room.clone(), read, |_| false, StreamRead::page))
}

/// What the metadata say of a stream, unless it or its subject is deleted for ever.
pub(super) async fn visible(store: &Store, stream: &StreamName) -> Result<Arc<StreamState>, Fault> {
    let subject = super::state::subject_of(stream);
    let state = store.state(subject.as_ref().unwrap_or(stream)).await?;
    if state.deleted == Deleted::ForEver {
        return Err(Fault::Deleted { stream: stream.to_string() });
    }
    if subject.is_some() { store.state(stream).await } else { Ok(state) }
}

impl StreamRead {
    async fn page(mut self) -> Result<Option<(VecDeque<ReadResp>, Self)>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let inside = |next: &u64| (self.first..=self.last).contains(next);
        let Some(next) = self.next.filter(inside).filter(|_| self.left > 0) else {
            self.ended = true;
            let mut told = VecDeque::new();
            if self.telling.ends {
                told.push_back(message(ReadContent::FirstRevision(self.first)));
                told.push_back(message(ReadContent::LastRevision(self.last)));
            }
            return Ok(Some((told, self)));
        };
        let ledger = self.telling.store.ledger();
        let read = self.portion.of_stream(&**ledger, &self.stream, next, self.direction, self.left);
        let mut read = read.await?;
        self.next = match (read.last(), self.direction) {
            (None, _) => None,
            (Some(last), Direction::Forwards) => last.revision.checked_add(1),
            (Some(last), Direction::Backwards) => last.revision.checked_sub(1),
        };
        let (first, last, not_before) = (self.first, self.last, self.not_before);
        read.retain(|event| {
            (first..=last).contains(&event.revision)
                && not_before.is_none_or(|time| event.recorded_at >= time)
        });
        self.left -= read.len() as u64;
        let told = self.telling.tell(read).await?;
        Ok(Some((told, self)))
    }
}

/// A read of all streams.
#[derive(Clone)]
struct AllRead {
    telling: Telling,
    direction: Direction,
    /// Excluded forwards, included backwards, as the ledger has it.
    from: Position,
    filter: Option<Filter>,
    left: u64,
    portion: Portion,
    ended: bool,
}

/// The position after which reading forwards begins at another.
pub(super) fn before(commit: u64) -> Position {
    Position::new(commit.saturating_sub(1))
}

/// Reads so many events of all streams.
pub(super) async fn read_all(
    telling: Telling,
    from: Option<FromPosition>,
    direction: Direction,
    filter: Option<Filter>,
    count: u64,
) -> Result<Answer, Fault> {
    let from = match (from, direction) {
        (None, Direction::Forwards) | (Some(FromPosition::Start(_)), _) => Position::START,
        (Some(FromPosition::End(_)), Direction::Forwards) => telling.store.ledger().head().await?,
        (Some(FromPosition::Position(at)), _) => before(at.commit),
        (None | Some(FromPosition::End(_)), Direction::Backwards) => Position::new(u64::MAX),
    };
    let portion = Portion::default();
    let read = AllRead { telling, direction, from, filter, left: count, portion, ended: false };
    Ok(pages(read.telling.room.clone(), read, |_| false, AllRead::page))
}

impl AllRead {
    async fn page(mut self) -> Result<Option<(VecDeque<ReadResp>, Self)>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let ledger = Arc::clone(self.telling.store.ledger());
        let mut read = Vec::new();
        if self.left > 0 {
            // Of what is looked at a filter may want little.
            let most = if self.filter.is_some() { u64::MAX } else { self.left };
            read = self.portion.of_all(&*ledger, self.from, self.direction, most).await?;
        }
        let Some(last) = read.last() else {
            self.ended = true;
            let mut told = VecDeque::new();
            if self.telling.ends {
                let head = ledger.head().await?;
                told.push_back(message(ReadContent::LastPosition(head.into())));
            }
            return Ok(Some((told, self)));
        };
        self.from = match self.direction {
            Direction::Forwards => last.position,
            Direction::Backwards => before(last.position.commit()),
        };
        if let Some(filter) = &self.filter {
            read.retain(|event| filter.wants(event));
        }
        read.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= read.len() as u64;
        let told = self.telling.tell(read).await?;
        Ok(Some((told, self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::esdb::wire::streams::ReadContent;

    #[tokio::test]
    async fn a_page_has_its_room_until_more_is_asked_for() {
        let room = Pages::default();
        let all = room.free();
        let page = |left: u64| async move {
            let told = (0..3).map(|number| message(ReadContent::LastRevision(number + 1)));
            Ok((left > 0).then(|| (told.collect(), left - 1)))
        };
        let mut told = pages(room.clone(), 1, |_| false, page);
        for _ in 0..3 {
            told.next().await.unwrap().unwrap();
            assert!(room.free() < all);
        }
        assert!(told.next().await.is_none());
        assert_eq!(room.free(), all);
    }
}
