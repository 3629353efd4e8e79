//! Describing and listing persistent subscriptions.

use prost::{Message, Oneof};

use super::super::shared::{Empty, StreamIdentifier, stream_or_all};

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

stream_or_all! {
    /// Of one stream or of all.
    StreamOrAll, "1", "2"
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
