//! Reading pages of all events or of one stream, tried again until the deadline.

use cx_model::{Position, StreamName};
use eventstore::{
    Authentication, Client, ReadAllOptions, ReadStream, ReadStreamOptions, StreamPosition,
    SubscriptionFilter,
};
use tokio::time::Instant;

use super::Inner;
use super::event::{self, Found, Read};
use super::trouble::Trouble;
use crate::error::ReadError;
use crate::port::{Direction, RawEvent};

/// Events read at a time.
pub(super) const PAGE: usize = 2048;
/// About so many bytes are read at a time.
const PAGE_BYTES: usize = 16 << 20;

/// All streams but the event store's own, and the metadata of these.
const WANTED: &str = r"^([^\$]|\$\$[^\$])";

/// The filter that the server applies.
pub(super) fn filter() -> SubscriptionFilter {
    SubscriptionFilter::on_stream_name().regex(WANTED)
}

fn place(position: Position) -> StreamPosition<eventstore::Position> {
    let (commit, prepare) = (position.commit(), position.prepare());
    StreamPosition::Position(eventstore::Position { commit, prepare })
}

/// Where a subscription begins that follows on a position.
pub(super) fn after(position: Position) -> StreamPosition<eventstore::Position> {
    if position == Position::START { StreamPosition::Start } else { place(position) }
}

/// What was read, and whether there may be more.
struct Page {
    read: Vec<Read>,
    more: bool,
}

/// Reads an answer to so many events to its end, or as much of it as is well held at once.
async fn collect(mut answer: ReadStream, wanted: usize) -> Result<Page, eventstore::Error> {
    let mut read = Vec::new();
    let mut bytes = 0;
    while let Some(event) = answer.next().await? {
        let Some(event) = event.link.or(event.event) else { continue };
        bytes += event.data.len() + event.custom_metadata.len();
        read.push(event::read(event));
        if bytes >= PAGE_BYTES {
            return Ok(Page { read, more: true });
        }
    }
    let more = read.len() >= wanted;
    Ok(Page { read, more })
}

fn authenticated(options: ReadAllOptions, who: Option<Authentication>) -> ReadAllOptions {
    match who {
        Some(who) => options.authenticated(who),
        None => options,
    }
}

/// The position of whatever is last.
pub(super) async fn newest(
    client: Client,
    who: Option<Authentication>,
) -> Result<Option<Position>, eventstore::Error> {
    let options = ReadAllOptions::default().position(StreamPosition::End);
    let options = options.backwards().filter(filter()).max_count(1);
    let answer = client.read_all(&authenticated(options, who)).await?;
    Ok(collect(answer, 1).await?.read.first().map(|read| read.position))
}

impl Inner {
    async fn page_of_all(
        &self,
        options: ReadAllOptions,
        wanted: usize,
        deadline: Instant,
    ) -> Result<Page, ReadError> {
        // A follower that lags would look like a ledger that was put back, whatever node the address
        // prefers.
        let options = options.filter(filter()).max_count(wanted).requires_leader(true);
        let options = &authenticated(options, self.clients.settings.authentication());
        let call =
            |client: Client| async move { collect(client.read_all(options).await?, wanted).await };
        Ok(self.clients.persist(deadline, call).await?)
    }

    /// The events among what was read; the rest is looked at.
    pub(super) fn sift(&self, read: Vec<Read>) -> impl Iterator<Item = RawEvent> {
        read.into_iter().filter_map(|read| match read.found {
            Found::Event(event) => Some(event),
            Found::Limits(limits) => {
                self.census().find(limits.text());
                None
            }
            Found::Other => None,
        })
    }

    /// At most so many events after a position, not numbered.
    pub(super) async fn read_forwards(
        &self,
        from: Position,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<RawEvent>, ReadError> {
        let mut events = Vec::new();
        let mut from = from;
        while events.len() < limit {
            // The event at the position itself comes along.
            let wanted = (limit - events.len()).min(PAGE) + 1;
            let options = ReadAllOptions::default().position(after(from)).forwards();
            let mut page = self.page_of_all(options, wanted, deadline).await?;
            page.read.retain(|read| read.position > from);
            let Some(last) = page.read.last() else { break };
            from = last.position;
            events.extend(self.sift(page.read));
            if !page.more {
                break;
            }
        }
        events.truncate(limit);
        Ok(events)
    }

    /// At most so many events up to a position, that one included, newest first, not numbered.
    pub(super) async fn read_backwards(
        &self,
        from: Position,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<RawEvent>, ReadError> {
        let mut events = Vec::new();
        let mut next = StreamPosition::End;
        if from != Position::new(u64::MAX) {
            if from == Position::START || limit == 0 {
                return Ok(events);
            }
            // Backwards the event store leaves out the event at the position itself.
            let options = ReadAllOptions::default().position(place(from)).forwards();
            let mut at = self.page_of_all(options, 1, deadline).await?;
            at.read.retain(|read| read.position == from);
            events.extend(self.sift(at.read));
            next = place(from);
        }
        while events.len() < limit {
            let wanted = (limit - events.len()).min(PAGE);
            let options = ReadAllOptions::default().position(next).backwards();
            let page = self.page_of_all(options, wanted, deadline).await?;
            let Some(last) = page.read.last() else { break };
            next = place(last.position);
            events.extend(self.sift(page.read));
            if !page.more {
                break;
            }
        }
        Ok(events)
    }

    /// The position of the last event.
    pub(super) async fn read_head(&self) -> Result<Position, ReadError> {
        let last = self.read_backwards(Position::new(u64::MAX), 1, self.deadline()).await?;
        let head = last.first().map(|event| event.position).unwrap_or_default();
        self.clients.saw(head);
        Ok(head)
    }

    async fn page_of_stream(
        &self,
        stream: &StreamName,
        options: ReadStreamOptions,
        wanted: usize,
        deadline: Instant,
    ) -> Result<Page, ReadError> {
        let options = options.max_count(wanted);
        let options = match self.clients.settings.authentication() {
            Some(who) => options.authenticated(who),
            None => options,
        };
        let options = &options;
        let call = |client: Client| async move {
            collect(client.read_stream(stream.as_str(), options).await?, wanted).await
        };
        match self.clients.persist(deadline, call).await {
            Err(Trouble::Missing) => Ok(Page { read: Vec::new(), more: false }),
            answer => Ok(answer?),
        }
    }

    /// At most so many events of a stream; fails where one of them is missing.
    pub(super) async fn read_stream(
        &self,
        stream: &StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<RawEvent>, ReadError> {
        let mut events: Vec<RawEvent> = Vec::new();
        let mut next = Some(from);
        while let Some(place) = next.filter(|_| events.len() < limit) {
            let wanted = (limit - events.len()).min(PAGE);
            let options = ReadStreamOptions::default();
            let options = match direction {
                Direction::Forwards if place == u64::MAX => break,
                Direction::Forwards => options.position(StreamPosition::Position(place)).forwards(),
                Direction::Backwards if place == u64::MAX => {
                    options.position(StreamPosition::End).backwards()
                }
                Direction::Backwards => {
                    options.position(StreamPosition::Position(place)).backwards()
                }
            };
            let page = self.page_of_stream(stream, options, wanted, deadline).await?;
            let before = events.len();
            events.extend(self.sift(page.read));
            for event in &events[before..] {
                next = next_of(stream, next, direction, event)?;
            }
            if !page.more {
                let to_start = direction == Direction::Backwards;
                match next.filter(|_| to_start && !events.is_empty()) {
                    Some(_) => return Err(gone(stream, events.last())),
                    None => break,
                }
            }
        }
        Ok(events)
    }
}

/// The place after an event that was expected at a place.
fn next_of(
    stream: &StreamName,
    expected: Option<u64>,
    direction: Direction,
    event: &RawEvent,
) -> Result<Option<u64>, ReadError> {
    let revision = event.revision;
    match direction {
        Direction::Forwards if Some(revision) != expected => Err(gone(stream, Some(event))),
        Direction::Forwards => Ok(revision.checked_add(1)),
        // Backwards from beyond the end begins at the end.
        Direction::Backwards => Ok(revision.checked_sub(1)),
    }
}

fn gone(stream: &StreamName, event: Option<&RawEvent>) -> ReadError {
    tracing::error!(%stream, "the event store no longer has the beginning of a stream");
    let position = event.map(|event| event.position).unwrap_or_default();
    ReadError::Truncated { position }
}
