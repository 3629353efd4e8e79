//! Making, changing, deleting, replaying and describing persistent subscriptions.

use prost::{Message, Oneof};

use super::super::shared::{Empty, StreamIdentifier};
use super::super::streams::FilterOptions;

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
    Stream(PutStream),
    /// All.
    #[prost(message, tag = "5")]
    All(PutAll),
}

/// A stream and where to begin.
#[derive(Clone, PartialEq, Message)]
pub struct PutStream {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub stream: Option<StreamIdentifier>,
    /// Where to begin.
    #[prost(oneof = "super::super::streams::FromRevision", tags = "2, 3, 4")]
    pub from: Option<super::super::streams::FromRevision>,
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

/// Of one stream or of all.
#[derive(Clone, PartialEq, Oneof)]
pub enum DeleteOf {
    /// One.
    #[prost(message, tag = "1")]
    Stream(StreamIdentifier),
    /// All.
    #[prost(message, tag = "3")]
    All(Empty),
}

/// Asks for a description.
#[derive(Clone, PartialEq, Message)]
pub struct InfoReq {
    /// Of which group.
    #[prost(message, optional, tag = "1")]
    pub options: Option<InfoOptions>,
}

/// A group to be described.
#[derive(Clone, PartialEq, Message)]
pub struct InfoOptions {
    /// Of one stream or of all.
    #[prost(oneof = "StreamOrAll", tags = "1, 2")]
    pub of: Option<StreamOrAll>,
    /// Its name.
    #[prost(string, tag = "3")]
    pub group: String,
}

/// Of one stream or of all.
#[derive(Clone, PartialEq, Oneof)]
pub enum StreamOrAll {
    /// One.
    #[prost(message, tag = "1")]
    Stream(StreamIdentifier),
    /// All.
    #[prost(message, tag = "2")]
    All(Empty),
}

/// A description.
#[derive(Clone, PartialEq, Message)]
pub struct InfoResp {
    /// Of the group.
    #[prost(message, optional, tag = "1")]
    pub info: Option<GroupInfo>,
}

/// A group as it stands.
#[derive(Clone, PartialEq, Message)]
pub struct GroupInfo {
    /// The stream, `$all` for all.
    #[prost(string, tag = "1")]
    pub stream: String,
    /// The name.
    #[prost(string, tag = "2")]
    pub group: String,
    /// How it is doing.
    #[prost(string, tag = "3")]
    pub status: String,
    /// Its consumers.
    #[prost(message, repeated, tag = "4")]
    pub connections: Vec<ConnectionInfo>,
    /// Events a second.
    #[prost(int32, tag = "5")]
    pub average_per_second: i32,
    /// Events so far.
    #[prost(int64, tag = "6")]
    pub total_items: i64,
    /// Where its noted progress ends.
    #[prost(string, tag = "8")]
    pub last_checkpoint: String,
    /// The last event it knows.
    #[prost(string, tag = "9")]
    pub last_known: String,
    /// Whether links are followed.
    #[prost(bool, tag = "10")]
    pub resolve_links: bool,
    /// Where it began.
    #[prost(string, tag = "11")]
    pub start_from: String,
    /// How long a consumer may take for an event.
    #[prost(int32, tag = "12")]
    pub message_timeout_ms: i32,
    /// Whether more is measured.
    #[prost(bool, tag = "13")]
    pub extra_statistics: bool,
    /// How often an event is told again.
    #[prost(int32, tag = "14")]
    pub max_retries: i32,
    /// How many events are kept when live.
    #[prost(int32, tag = "15")]
    pub live_buffer: i32,
    /// How many events are kept when catching up.
    #[prost(int32, tag = "16")]
    pub history_buffer: i32,
    /// How many events are read at a time.
    #[prost(int32, tag = "17")]
    pub read_batch: i32,
    /// How long progress may go without being noted.
    #[prost(int32, tag = "18")]
    pub checkpoint_after_ms: i32,
    /// After how many events progress may be noted.
    #[prost(int32, tag = "19")]
    pub min_checkpoint: i32,
    /// After how many events progress is noted at once.
    #[prost(int32, tag = "20")]
    pub max_checkpoint: i32,
    /// Events that wait to be told.
    #[prost(int32, tag = "21")]
    pub read_buffer_count: i32,
    /// Events that wait to be told, live.
    #[prost(int64, tag = "22")]
    pub live_buffer_count: i64,
    /// Events that wait to be told again.
    #[prost(int32, tag = "23")]
    pub retry_count: i32,
    /// Events that consumers have.
    #[prost(int32, tag = "24")]
    pub in_flight: i32,
    /// Events that are not done.
    #[prost(int32, tag = "25")]
    pub outstanding: i32,
    /// Who gets an event.
    #[prost(string, tag = "26")]
    pub strategy: String,
    /// How many consumers there may be.
    #[prost(int32, tag = "27")]
    pub max_subscribers: i32,
    /// Events that are parked.
    #[prost(int64, tag = "28")]
    pub parked: i64,
}

/// One consumer.
#[derive(Clone, PartialEq, Message)]
pub struct ConnectionInfo {
    /// Where from.
    #[prost(string, tag = "1")]
    pub from: String,
    /// As whom.
    #[prost(string, tag = "2")]
    pub username: String,
    /// Events a second.
    #[prost(int32, tag = "3")]
    pub average_per_second: i32,
    /// Events so far.
    #[prost(int64, tag = "4")]
    pub total_items: i64,
    /// How many more events it takes.
    #[prost(int32, tag = "7")]
    pub available_slots: i32,
    /// How many events it has.
    #[prost(int32, tag = "8")]
    pub in_flight: i32,
    /// What it calls its connection.
    #[prost(string, tag = "9")]
    pub connection_name: String,
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

/// Of one stream or of all.
#[derive(Clone, PartialEq, Oneof)]
pub enum ReplayOf {
    /// One.
    #[prost(message, tag = "2")]
    Stream(StreamIdentifier),
    /// All.
    #[prost(message, tag = "3")]
    All(Empty),
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

/// Asks which groups there are.
#[derive(Clone, PartialEq, Message)]
pub struct ListReq {
    /// Of what.
    #[prost(message, optional, tag = "1")]
    pub options: Option<ListOptions>,
}

/// Which groups are listed.
#[derive(Clone, PartialEq, Message)]
pub struct ListOptions {
    /// Of everything or of a stream.
    #[prost(oneof = "ListOf", tags = "1, 2")]
    pub of: Option<ListOf>,
}

/// Of everything or of a stream.
#[derive(Clone, PartialEq, Oneof)]
pub enum ListOf {
    /// Of everything.
    #[prost(message, tag = "1")]
    Everything(Empty),
    /// Of a stream.
    #[prost(message, tag = "2")]
    Stream(ListStream),
}

/// The stream whose groups are listed.
#[derive(Clone, PartialEq, Message)]
pub struct ListStream {
    /// Of one stream or of all.
    #[prost(oneof = "StreamOrAll", tags = "1, 2")]
    pub of: Option<StreamOrAll>,
}

/// The groups.
#[derive(Clone, PartialEq, Message)]
pub struct ListResp {
    /// Each of them.
    #[prost(message, repeated, tag = "1")]
    pub groups: Vec<GroupInfo>,
}
