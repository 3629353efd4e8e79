//! Reading.

use std::collections::HashMap;

use bytes::Bytes;
use prost::{Message, Oneof};

use super::super::shared::{AllPosition, Empty, StreamIdentifier, TimeParts, WireId};
use super::filter::FilterOptions;

/// Asks for events.
#[derive(Clone, PartialEq, Message)]
pub struct ReadReq {
    /// What and how.
    #[prost(message, optional, tag = "1")]
    pub options: Option<ReadOptions>,
}

/// What to read and how.
#[derive(Clone, PartialEq, Message)]
pub struct ReadOptions {
    /// One stream or all.
    #[prost(oneof = "ReadOf", tags = "1, 2")]
    pub of: Option<ReadOf>,
    /// 0 forwards, 1 backwards.
    #[prost(int32, tag = "3")]
    pub direction: i32,
    /// Whether links are followed.
    #[prost(bool, tag = "4")]
    pub resolve_links: bool,
    /// So many, or on and on.
    #[prost(oneof = "ReadUntil", tags = "5, 6")]
    pub until: Option<ReadUntil>,
    /// Which events.
    #[prost(oneof = "ReadFilter", tags = "7, 8")]
    pub filter: Option<ReadFilter>,
    /// How ids are written.
    #[prost(message, optional, tag = "9")]
    pub ids: Option<IdOption>,
    /// How much the client understands.
    #[prost(message, optional, tag = "10")]
    pub control: Option<ControlOption>,
}

/// One stream or all.
#[derive(Clone, PartialEq, Oneof)]
pub enum ReadOf {
    /// One.
    #[prost(message, tag = "1")]
    Stream(OneStream),
    /// All.
    #[prost(message, tag = "2")]
    All(AllStreams),
}

/// One stream from a revision on.
#[derive(Clone, PartialEq, Message)]
pub struct OneStream {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub stream: Option<StreamIdentifier>,
    /// From where.
    #[prost(oneof = "FromRevision", tags = "2, 3, 4")]
    pub from: Option<FromRevision>,
}

/// A place in a stream.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum FromRevision {
    /// At a revision.
    #[prost(uint64, tag = "2")]
    Revision(u64),
    /// The beginning.
    #[prost(message, tag = "3")]
    Start(Empty),
    /// The end.
    #[prost(message, tag = "4")]
    End(Empty),
}

/// All streams from a position on.
#[derive(Clone, PartialEq, Message)]
pub struct AllStreams {
    /// From where.
    #[prost(oneof = "FromPosition", tags = "1, 2, 3")]
    pub from: Option<FromPosition>,
}

/// A place in the order of commit.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum FromPosition {
    /// At a position.
    #[prost(message, tag = "1")]
    Position(AllPosition),
    /// The beginning.
    #[prost(message, tag = "2")]
    Start(Empty),
    /// The end.
    #[prost(message, tag = "3")]
    End(Empty),
}

/// How long a read goes on.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum ReadUntil {
    /// So many events.
    #[prost(uint64, tag = "5")]
    Count(u64),
    /// On and on.
    #[prost(message, tag = "6")]
    Subscription(Empty),
}

/// Which events are wanted.
#[derive(Clone, PartialEq, Oneof)]
pub enum ReadFilter {
    /// Those that match.
    #[prost(message, tag = "7")]
    Filter(FilterOptions),
    /// All.
    #[prost(message, tag = "8")]
    None(Empty),
}

/// How ids are written.
#[derive(Clone, PartialEq, Message)]
pub struct IdOption {
    /// Which form.
    #[prost(oneof = "IdChoice", tags = "1, 2")]
    pub choice: Option<IdChoice>,
}

/// The form of ids.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum IdChoice {
    /// As two numbers.
    #[prost(message, tag = "1")]
    Halves(Empty),
    /// As text.
    #[prost(message, tag = "2")]
    Text(Empty),
}

/// How much the client understands.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ControlOption {
    /// From 1 on also the first and the last position.
    #[prost(uint32, tag = "1")]
    pub compatibility: u32,
}

/// One message of an answer.
#[derive(Clone, PartialEq, Message)]
pub struct ReadResp {
    /// Of which kind.
    #[prost(oneof = "ReadContent", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    pub content: Option<ReadContent>,
}

/// The kinds of messages in an answer.
#[derive(Clone, PartialEq, Oneof)]
// Nearly every one is an event.
#[allow(clippy::large_enum_variant)]
pub enum ReadContent {
    /// An event.
    #[prost(message, tag = "1")]
    Event(ReadEvent),
    /// The subscription has begun.
    #[prost(message, tag = "2")]
    Confirmation(Confirmation),
    /// How far a filtered subscription has looked.
    #[prost(message, tag = "3")]
    Checkpoint(AllPosition),
    /// There is no such stream.
    #[prost(message, tag = "4")]
    NotFound(NotFound),
    /// The first revision of the stream.
    #[prost(uint64, tag = "5")]
    FirstRevision(u64),
    /// The last revision of the stream.
    #[prost(uint64, tag = "6")]
    LastRevision(u64),
    /// The last position of all.
    #[prost(message, tag = "7")]
    LastPosition(AllPosition),
    /// The subscription is live.
    #[prost(message, tag = "8")]
    CaughtUp(CaughtUp),
    /// The subscription is not live any more.
    #[prost(message, tag = "9")]
    FellBehind(Empty),
}

/// An event, and the link that led to it.
#[derive(Clone, PartialEq, Message)]
pub struct ReadEvent {
    /// The event; none if the link leads nowhere.
    #[prost(message, optional, tag = "1")]
    pub event: Option<WireEvent>,
    /// The link.
    #[prost(message, optional, tag = "2")]
    pub link: Option<WireEvent>,
    /// Where it stands.
    #[prost(oneof = "EventPosition", tags = "3, 4")]
    pub position: Option<EventPosition>,
}

/// Where an event stands.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum EventPosition {
    /// In the order of commit.
    #[prost(uint64, tag = "3")]
    Commit(u64),
    /// Not known.
    #[prost(message, tag = "4")]
    Unknown(Empty),
}

/// An event as it is recorded.
#[derive(Clone, PartialEq, Message)]
pub struct WireEvent {
    /// Its id.
    #[prost(message, optional, tag = "1")]
    pub id: Option<WireId>,
    /// Its stream.
    #[prost(message, optional, tag = "2")]
    pub stream: Option<StreamIdentifier>,
    /// Its place in the stream.
    #[prost(uint64, tag = "3")]
    pub revision: u64,
    /// Its position, the prepare part.
    #[prost(uint64, tag = "4")]
    pub prepare: u64,
    /// Its position, the commit part.
    #[prost(uint64, tag = "5")]
    pub commit: u64,
    /// `type`, `content-type` and `created`.
    #[prost(map = "string, string", tag = "6")]
    pub system: HashMap<String, String>,
    /// What surrounds it.
    #[prost(bytes = "bytes", tag = "7")]
    pub metadata: Bytes,
    /// The event itself.
    #[prost(bytes = "bytes", tag = "8")]
    pub data: Bytes,
}

/// A subscription has begun.
#[derive(Clone, PartialEq, Message)]
pub struct Confirmation {
    /// Its id.
    #[prost(string, tag = "1")]
    pub subscription: String,
}

/// There is no such stream.
#[derive(Clone, PartialEq, Message)]
pub struct NotFound {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub stream: Option<StreamIdentifier>,
}

/// A subscription is live: when, and after which event.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct CaughtUp {
    /// When.
    #[prost(message, optional, tag = "1")]
    pub at: Option<TimeParts>,
    /// The last revision of its stream, if it has one.
    #[prost(int64, optional, tag = "2")]
    pub revision: Option<i64>,
    /// The position of the last event of all, if there is one.
    #[prost(message, optional, tag = "3")]
    pub position: Option<AllPosition>,
}
