//! Subscriptions: events from a place on, and on and on. They end with an error or with their
//! client, never with OK: a client would take that for a reason to ask again at once.

use std::collections::VecDeque;
use std::sync::Arc;

use cx_ledger::{Direction, Follow, RawEvent};
use cx_model::{Position, StreamName};
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use tonic::Status;
use uuid::Uuid;

use super::fault::Fault;
use super::filter::Filter;
use super::portion::Portion;
use super::read::{Answer, Telling, message, pages, visible};
use super::state::TOMBSTONE;
use super::wire::shared::{Empty, TimeParts};
use super::wire::streams::{
    CaughtUp, Confirmation, FromPosition, FromRevision, ReadContent, ReadResp,
};
use crate::serve::Draining;

/// Ends a stream with an error when the server is about to end.
pub(super) fn until_drained<T: Send + 'static>(
    answer: BoxStream<'static, Result<T, Status>>,
    draining: Draining,
) -> BoxStream<'static, Result<T, Status>> {
    let next = |open: Option<(BoxStream<'static, Result<T, Status>>, Draining)>| async {
        let (mut answer, mut draining) = open?;
        let item = tokio::select! {
            biased;
            () = draining.begun() => None,
            item = answer.next() => item,
        };
        match item {
            Some(item) => Some((item, Some((answer, draining)))),
            None => Some((Err(Status::unavailable("the server ends; subscribe again")), None)),
        }
    };
    stream::unfold(Some((answer, draining)), next).boxed()
}

fn confirmation() -> ReadResp {
    let subscription = Uuid::new_v4().to_string();
    message(ReadContent::Confirmation(Confirmation { subscription }))
}

/// A subscription is live, after the event at this revision of its stream or at this position.
fn caught_up(revision: Option<u64>, position: Option<Position>) -> ReadResp {
    let now = Timestamp::now();
    let at = Some(TimeParts { seconds: now.as_second(), nanos: now.subsec_nanosecond() });
    let revision = revision.and_then(|revision| i64::try_from(revision).ok());
    let position = position.filter(|position| *position > Position::START).map(Into::into);
    message(ReadContent::CaughtUp(CaughtUp { at, revision, position }))
}

/// A subscription to one stream.
struct StreamSubscription {
    telling: Telling,
    stream: StreamName,
    next: u64,
    not_before: Option<Timestamp>,
    portion: Portion,
    /// The feed, once the subscription is live.
    live: Option<Box<dyn Follow>>,
    confirmed: bool,
    /// Whether its tombstone was read.
    deleted: bool,
}

/// Subscribes to one stream; it need not be there yet.
pub(super) async fn to_stream(
    telling: Telling,
    stream: StreamName,
    from: Option<FromRevision>,
) -> Result<Answer, Fault> {
    let state = visible(&telling.store, &stream).await?;
    let last = telling.store.last_revision(&stream).await?;
    let first = last.map_or(0, |last| state.first(last).min(last + 1));
    let next = match from {
        None | Some(FromRevision::Start(Empty {})) => first,
        Some(FromRevision::Revision(revision)) => revision.saturating_add(1).max(first),
        Some(FromRevision::End(Empty {})) => last.map_or(0, |last| last + 1),
    };
    let subscription = StreamSubscription {
        telling,
        stream,
        next,
        not_before: state.not_before(Timestamp::now()),
        portion: Portion::default(),
        live: None,
        confirmed: false,
        deleted: false,
    };
    let (room, waits) =
        (subscription.telling.room.clone(), |one: &StreamSubscription| one.live.is_some());
    Ok(pages(room, subscription, waits, StreamSubscription::page))
}

impl StreamSubscription {
    async fn page(mut self) -> Result<Option<(VecDeque<ReadResp>, Self)>, Fault> {
        if !self.confirmed {
            self.confirmed = true;
            return Ok(Some((VecDeque::from([confirmation()]), self)));
        }
        if self.deleted {
            return Err(Fault::Deleted { stream: self.stream.to_string() });
        }
        let ledger = Arc::clone(self.telling.store.ledger());
        let mut events = if let Some(live) = &mut self.live {
            let events = live.next(self.portion.size()).await?;
            self.portion.learn(&events);
            events
        } else {
            // What is committed after this is left to the feed.
            let head = ledger.head().await?;
            let (stream, forwards) = (&self.stream, Direction::Forwards);
            let read = self.portion.of_stream(&*ledger, stream, self.next, forwards, u64::MAX);
            let read = read.await?;
            if read.is_empty() {
                self.live = Some(ledger.follow(head));
                return Ok(Some((
                    VecDeque::from([caught_up(self.next.checked_sub(1), None)]),
                    self,
                )));
            }
            read
        };
        events.retain(|event| event.stream == self.stream && event.revision >= self.next);
        if let Some(last) = events.last() {
            self.next = last.revision + 1;
        }
        let of_subject = self.stream.as_str().starts_with("$$");
        if !of_subject {
            let tombstone = events.iter().position(|event| &*event.event_type == TOMBSTONE);
            // What came before it is told first.
            if let Some(before) = tombstone {
                events.truncate(before);
                self.deleted = true;
            }
        }
        let not_before = self.not_before;
        events.retain(|event| not_before.is_none_or(|time| event.recorded_at >= time));
        let told = self.telling.tell(events).await?;
        Ok(Some((told, self)))
    }
}

/// A subscription to all streams.
struct AllSubscription {
    telling: Telling,
    feed: Box<dyn Follow>,
    after: Position,
    filter: Option<Filter>,
    /// How many events were looked at since the progress was told.
    looked_at: u64,
    portion: Portion,
    live: bool,
    confirmed: bool,
}

/// Subscribes to all streams.
pub(super) async fn to_all(
    telling: Telling,
    from: Option<FromPosition>,
    filter: Option<Filter>,
) -> Result<Answer, Fault> {
    let head = telling.store.ledger().head().await?;
    let after = match from {
        None | Some(FromPosition::Start(Empty {})) => Position::START,
        Some(FromPosition::Position(at)) => Position::new(at.commit),
        Some(FromPosition::End(Empty {})) => head,
    };
    let subscription = AllSubscription {
        feed: telling.store.ledger().follow(after),
        telling,
        after,
        filter,
        looked_at: 0,
        portion: Portion::default(),
        live: false,
        confirmed: false,
    };
    let room = subscription.telling.room.clone();
    Ok(pages(room, subscription, |one| one.live, AllSubscription::page))
}

impl AllSubscription {
    async fn page(mut self) -> Result<Option<(VecDeque<ReadResp>, Self)>, Fault> {
        if !self.confirmed {
            self.confirmed = true;
            return Ok(Some((VecDeque::from([confirmation()]), self)));
        }
        if !self.live && self.after >= self.telling.store.ledger().head().await? {
            self.live = true;
            let mut told = VecDeque::new();
            if self.filter.is_some() {
                told.push_back(self.checkpoint());
            }
            told.push_back(caught_up(None, Some(self.after)));
            return Ok(Some((told, self)));
        }
        let events = self.feed.next(self.portion.size()).await?;
        self.portion.learn(&events);
        let told = self.tell(events).await?;
        Ok(Some((told, self)))
    }

    fn checkpoint(&mut self) -> ReadResp {
        self.looked_at = 0;
        message(ReadContent::Checkpoint(self.after.into()))
    }

    async fn tell(&mut self, events: Vec<RawEvent>) -> Result<VecDeque<ReadResp>, Fault> {
        let Some(filter) = self.filter.clone() else {
            self.after = events.last().map_or(self.after, |last| last.position);
            return self.telling.tell(events).await;
        };
        let mut told = VecDeque::new();
        for event in events {
            self.after = event.position;
            self.looked_at += 1;
            if filter.wants(&event) {
                told.append(&mut self.telling.tell([event]).await?);
            }
            if self.looked_at >= filter.interval {
                told.push_back(self.checkpoint());
            }
        }
        Ok(told)
    }
}
