//! Making, changing, deleting and replaying persistent subscriptions.

use prost::{Message, Oneof};

use super::super::shared::{Empty, StreamIdentifier, stream_or_all};
use super::super::streams::{FilterOptions, OneStream};

/// Asks to make or to change a group.
#[derive(Clone, PartialEq, Message)]
pub struct PutReq {
    /// Which and how.
    #[prost(message, optional, tag = "1")]
    pub options: Option<PutOptions>,
}

/// A group and its settings.
#[derive(Clone, PartialEq, Message)]
pub struct PutOptions {
    /// The stream as old clients name it.
    #[prost(message, optional, tag = "1")]
    pub legacy_stream: Option<StreamIdentifier>,
    /// The group.
    #[prost(string, tag = "2")]
    pub group: String,
    /// The settings.
    #[prost(message, optional, tag = "3")]
    pub settings: Option<WireSettings>,
    /// Of one stream or of all.
    #[prost(oneof = "PutOf", tags = "4, 5")]
    pub of: Option<PutOf>,
}

/// Of one stream or of all.
#[derive(Clone, PartialEq, Oneof)]
pub enum PutOf {
    /// One.
    #[prost(message, tag = "4")]
    Stream(OneStream),
    /// All.
    #[prost(message, tag = "5")]
    All(PutAll),
}

/// Where to begin in all streams, and what is wanted of them.
#[derive(Clone, PartialEq, Message)]
pub struct PutAll {
    /// Where to begin.
    #[prost(oneof = "super::super::streams::FromPosition", tags = "1, 2, 3")]
    pub from: Option<super::super::streams::FromPosition>,
    /// Which events.
    #[prost(oneof = "PutFilter", tags = "4, 5")]
    pub filter: Option<PutFilter>,
}

/// Which events are wanted.
#[derive(Clone, PartialEq, Oneof)]
pub enum PutFilter {
    /// Those that match.
    #[prost(message, tag = "4")]
    Filter(FilterOptions),
    /// All.
    #[prost(message, tag = "5")]
    None(Empty),
}

/// The settings of a group.
#[derive(Clone, PartialEq, Message)]
pub struct WireSettings {
    /// Whether links are followed.
    #[prost(bool, tag = "1")]
    pub resolve_links: bool,
    /// Where to begin, as old clients say it.
    #[prost(uint64, tag = "2")]
    pub legacy_revision: u64,
    /// Whether more is measured.
    #[prost(bool, tag = "3")]
    pub extra_statistics: bool,
    /// How often an event is told again before it is parked.
    #[prost(int32, tag = "5")]
    pub max_retries: i32,
    /// After how many events progress may be noted.
    #[prost(int32, tag = "7")]
    pub min_checkpoint: i32,
    /// After how many events progress is noted at once.
    #[prost(int32, tag = "8")]
    pub max_checkpoint: i32,
    /// How many consumers there may be; 0 for any number.
    #[prost(int32, tag = "9")]
    pub max_subscribers: i32,
    /// How many events are kept when live.
    #[prost(int32, tag = "10")]
    pub live_buffer: i32,
    /// How many events are read at a time.
    #[prost(int32, tag = "11")]
    pub read_batch: i32,
    /// How many events are kept when catching up.
    #[prost(int32, tag = "12")]
    pub history_buffer: i32,
    /// Who gets an event, as old clients say it: 0 a single one, 1 each in turn, 2 one for a stream.
    #[prost(int32, tag = "13")]
    pub legacy_strategy: i32,
    /// How long a consumer may take for an event.
    #[prost(oneof = "MessageTimeout", tags = "4, 14")]
    pub message_timeout: Option<MessageTimeout>,
    /// How long progress may go without being noted.
    #[prost(oneof = "CheckpointAfter", tags = "6, 15")]
    pub checkpoint_after: Option<CheckpointAfter>,
    /// Who gets an event.
    #[prost(string, tag = "16")]
    pub strategy: String,
}

/// How long a consumer may take for an event.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum MessageTimeout {
    /// In ticks of 100 nanoseconds.
    #[prost(int64, tag = "4")]
    Ticks(i64),
    /// In milliseconds.
    #[prost(int32, tag = "14")]
    Milliseconds(i32),
}

/// How long progress may go without being noted.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum CheckpointAfter {
    /// In ticks of 100 nanoseconds.
    #[prost(int64, tag = "6")]
    Ticks(i64),
    /// In milliseconds.
    #[prost(int32, tag = "15")]
    Milliseconds(i32),
}

/// Asks to delete a group.
#[derive(Clone, PartialEq, Message)]
pub struct DeleteGroupReq {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub options: Option<DeleteGroup>,
}

/// A group to be deleted.
#[derive(Clone, PartialEq, Message)]
pub struct DeleteGroup {
    /// Of one stream or of all.
    #[prost(oneof = "DeleteOf", tags = "1, 3")]
    pub of: Option<DeleteOf>,
    /// Its name.
    #[prost(string, tag = "2")]
    pub group: String,
}

stream_or_all! {
    /// Of one stream or of all.
    DeleteOf, "1", "3"
}

/// Asks to tell parked events again.
#[derive(Clone, PartialEq, Message)]
pub struct ReplayReq {
    /// Of which group.
    #[prost(message, optional, tag = "1")]
    pub options: Option<ReplayOptions>,
}

/// Whose parked events are told again, and how many.
#[derive(Clone, PartialEq, Message)]
pub struct ReplayOptions {
    /// The group.
    #[prost(string, tag = "1")]
    pub group: String,
    /// Of one stream or of all.
    #[prost(oneof = "ReplayOf", tags = "2, 3")]
    pub of: Option<ReplayOf>,
    /// How many.
    #[prost(oneof = "ReplayUntil", tags = "4, 5")]
    pub until: Option<ReplayUntil>,
}

stream_or_all! {
    /// Of one stream or of all.
    ReplayOf, "2", "3"
}

/// How many parked events are told again.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum ReplayUntil {
    /// At most so many.
    #[prost(int64, tag = "4")]
    StopAt(i64),
    /// All.
    #[prost(message, tag = "5")]
    NoLimit(Empty),
}
