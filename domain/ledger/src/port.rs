//! The event-store port: the one way the system reads and writes events.

use std::sync::Arc;

use bytes::Bytes;
use cx_model::{Position, StreamName};
use futures::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

use crate::error::{AppendError, ReadError};

/// The largest event: data, metadata and type together, in bytes.
pub const EVENT_LIMIT: usize = 16 << 20;
/// The largest append, all events together, in bytes.
pub const APPEND_LIMIT: usize = 64 << 20;

/// What an append expects of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: append in any case.
    Any,
    /// The stream has no event yet.
    NoStream,
    /// The stream has at least one event.
    StreamExists,
    /// The stream's last event has this revision (the first event has revision 0).
    Revision(u64),
}

/// An event as it is handed to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawNewEvent {
    /// Makes the append idempotent: the same ids succeed again with the first answer.
    pub id: Uuid,
    /// The event's type, such as `ResponseSubmitted`.
    pub event_type: Arc<str>,
    /// The event itself, JSON. It comes back byte for byte.
    pub data: Bytes,
    /// What surrounds it, a JSON object. An engine may rewrite it on read.
    pub metadata: Bytes,
}

/// One atomic append to one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The stream.
    pub stream: StreamName,
    /// What must be true of it.
    pub expected: Expected,
    /// The events, in order. An append of nothing succeeds and changes nothing.
    pub events: Vec<RawNewEvent>,
}

/// The answer to an append: it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The revision of the stream's last event of this append; `None` if the stream has no event.
    pub revision: Option<u64>,
    /// The position of the append's last event.
    pub position: Position,
    /// The same events had been appended before; nothing was written now.
    pub repeated: bool,
}

/// An event as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Where it stands in the order of commit.
    pub position: Position,
    /// Its number among all events of the ledger, counted from 1 without gaps. Two engines with the
    /// same events agree on it. 0 where the engine cannot know it (one stream read from KurrentDB).
    pub ordinal: u64,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream, counted from 0 without gaps.
    pub revision: u64,
    /// Its id.
    pub id: Uuid,
    /// Its type.
    pub event_type: Arc<str>,
    /// When the ledger took it. Never falls from one position to the next on the embedded log.
    pub recorded_at: Timestamp,
    /// The event itself.
    pub data: Bytes,
    /// What surrounds it.
    pub metadata: Bytes,
}

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forwards,
    /// Newest first.
    Backwards,
}

/// How an engine is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It takes appends.
    Writable,
    /// It answers reads and refuses appends, for this reason.
    ReadOnly(String),
    /// It answers nothing now, for this reason: an event store elsewhere is away.
    Away(String),
}

/// An event store. Every call has a deadline of its own; none waits for ever.
pub trait Ledger: Send + Sync + 'static {
    /// Appends to one stream, atomically and durably.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>>;

    /// Appends to several streams: all or none on the embedded log, one stream at a time (in this
    /// order, safe to retry with the same ids) on KurrentDB. A stream may be named more than once.
    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>>;

    /// At most `limit` events of a stream from a revision on, that one included. Backwards from
    /// `u64::MAX` starts at the end. A stream that does not exist is empty.
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RawEvent>, ReadError>>;

    /// At most `limit` events of all streams. Forwards: after `from`, which is excluded. Backwards:
    /// up to `from`, which is included; `Position::new(u64::MAX)` starts at the end.
    fn read_all(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>>;

    /// As [`Self::read_stream`], and nothing more is read once what was read takes up `bytes`: at
    /// least one event, if there is one. An engine that holds its events in memory anyway may give
    /// more.
    fn read_stream_within<'a>(
        &'a self,
        stream: &'a StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
        bytes: u64,
    ) -> BoxFuture<'a, Result<Vec<RawEvent>, ReadError>> {
        let _ = bytes;
        self.read_stream(stream, from, direction, limit)
    }

    /// As [`Self::read_all`], bounded as [`Self::read_stream_within`] is.
    fn read_all_within(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
        bytes: u64,
    ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        let _ = bytes;
        self.read_all(from, direction, limit)
    }

    /// The position of the last event, `Position::START` for an empty ledger.
    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>>;

    /// The last position at which the running maximum of `recorded_at` is not later than a time:
    /// what "as of a time" means. `Position::START` if every event is later.
    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, ReadError>>;

    /// The events after a position, from history to live without gap or repeat.
    fn follow(&self, after: Position) -> Box<dyn Follow>;

    /// Whether appends are taken.
    fn health(&self) -> Health;
}

/// When the ledger's first event was recorded; `None` if there is none. No answer as of an earlier
/// time has anything in it.
pub async fn first_recorded(ledger: &dyn Ledger) -> Result<Option<Timestamp>, ReadError> {
    let first = ledger.read_all(Position::START, Direction::Forwards, 1).await?;
    Ok(first.first().map(|event| event.recorded_at))
}

/// A feed of events that never ends but with an error.
pub trait Follow: Send {
    /// The next events, at least one and at most `limit`; waits until there is one. Cancel-safe.
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>>;
}
