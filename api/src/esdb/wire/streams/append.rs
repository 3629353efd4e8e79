//! Appending and deleting.

use std::collections::HashMap;

use bytes::Bytes;
use prost::{Message, Oneof};

use super::super::shared::{
    AllPosition, CurrentRevision, Empty, InnerStatus, StreamIdentifier, TimeParts, WireId,
};

/// One message of an append: first the options, then each event.
#[derive(Clone, PartialEq, Message)]
pub struct AppendReq {
    /// Which of them.
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub content: Option<AppendContent>,
}

/// The options or an event.
#[derive(Clone, PartialEq, Oneof)]
pub enum AppendContent {
    /// Where to.
    #[prost(message, tag = "1")]
    Options(StreamExpectation),
    /// An event.
    #[prost(message, tag = "2")]
    Event(ProposedEvent),
}

/// A stream and what is expected of it: for appends, deletes and tombstones.
#[derive(Clone, PartialEq, Message)]
pub struct StreamExpectation {
    /// The stream.
    #[prost(message, optional, tag = "1")]
    pub stream: Option<StreamIdentifier>,
    /// What is expected.
    #[prost(oneof = "WireExpected", tags = "2, 3, 4, 5")]
    pub expected: Option<WireExpected>,
}

/// What is expected of a stream.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum WireExpected {
    /// This last revision.
    #[prost(uint64, tag = "2")]
    Revision(u64),
    /// No event.
    #[prost(message, tag = "3")]
    NoStream(Empty),
    /// Nothing.
    #[prost(message, tag = "4")]
    Any(Empty),
    /// An event.
    #[prost(message, tag = "5")]
    Exists(Empty),
}

/// An event to be appended.
#[derive(Clone, PartialEq, Message)]
pub struct ProposedEvent {
    /// Its id.
    #[prost(message, optional, tag = "1")]
    pub id: Option<WireId>,
    /// `type` and `content-type`.
    #[prost(map = "string, string", tag = "2")]
    pub system: HashMap<String, String>,
    /// What surrounds it.
    #[prost(bytes = "bytes", tag = "3")]
    pub metadata: Bytes,
    /// The event itself.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

/// The answer to an append.
#[derive(Clone, PartialEq, Message)]
pub struct AppendResp {
    /// Of which kind.
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub result: Option<AppendResult>,
}

/// How an append went.
#[derive(Clone, PartialEq, Oneof)]
pub enum AppendResult {
    /// It is durable.
    #[prost(message, tag = "1")]
    Success(AppendSuccess),
    /// The stream was not as expected.
    #[prost(message, tag = "2")]
    WrongVersion(WrongVersion),
}

/// A durable append.
#[derive(Clone, PartialEq, Message)]
pub struct AppendSuccess {
    /// The stream's last revision.
    #[prost(oneof = "CurrentRevision", tags = "1, 2")]
    pub current: Option<CurrentRevision>,
    /// Where its last event stands.
    #[prost(oneof = "AppendPosition", tags = "3, 4")]
    pub position: Option<AppendPosition>,
}

/// Where an append stands.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum AppendPosition {
    /// Here.
    #[prost(message, tag = "3")]
    Position(AllPosition),
    /// Nowhere.
    #[prost(message, tag = "4")]
    None(Empty),
}

/// The stream was not as expected, told to old clients and to newer ones.
#[derive(Clone, PartialEq, Message)]
pub struct WrongVersion {
    /// How it was, for old clients.
    #[prost(oneof = "CurrentRevision", tags = "1, 2")]
    pub legacy_current: Option<CurrentRevision>,
    /// How it was expected, for old clients.
    #[prost(oneof = "LegacyExpected", tags = "3, 4, 5")]
    pub legacy_expected: Option<LegacyExpected>,
    /// How it was.
    #[prost(oneof = "WrongCurrent", tags = "6, 7")]
    pub current: Option<WrongCurrent>,
    /// How it was expected.
    #[prost(oneof = "WrongExpected", tags = "8, 9, 10, 11")]
    pub expected: Option<WrongExpected>,
}

/// What was expected, as old clients read it.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum LegacyExpected {
    /// This revision; the largest number stands for no stream.
    #[prost(uint64, tag = "3")]
    Revision(u64),
    /// Nothing.
    #[prost(message, tag = "4")]
    Any(Empty),
    /// An event.
    #[prost(message, tag = "5")]
    Exists(Empty),
}

/// How the stream was.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum WrongCurrent {
    /// With this last revision.
    #[prost(uint64, tag = "6")]
    Revision(u64),
    /// Without an event.
    #[prost(message, tag = "7")]
    NoStream(Empty),
}

/// What was expected.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum WrongExpected {
    /// This last revision.
    #[prost(uint64, tag = "8")]
    Revision(u64),
    /// Nothing.
    #[prost(message, tag = "9")]
    Any(Empty),
    /// An event.
    #[prost(message, tag = "10")]
    Exists(Empty),
    /// No event.
    #[prost(message, tag = "11")]
    NoStream(Empty),
}

/// Asks to delete a stream, or to delete it for ever.
#[derive(Clone, PartialEq, Message)]
pub struct DeleteReq {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub options: Option<StreamExpectation>,
}

/// The stream is deleted.
#[derive(Clone, PartialEq, Message)]
pub struct DeleteResp {
    /// Where that stands.
    #[prost(oneof = "DeletePosition", tags = "1, 2")]
    pub position: Option<DeletePosition>,
}

/// Where a deletion stands.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum DeletePosition {
    /// Here.
    #[prost(message, tag = "1")]
    Position(AllPosition),
    /// Nowhere.
    #[prost(message, tag = "2")]
    None(Empty),
}

/// A part of one of the appends on a stream of appends.
#[derive(Clone, PartialEq, Message)]
pub struct BatchReq {
    /// Which append it belongs to.
    #[prost(message, optional, tag = "1")]
    pub correlation: Option<WireId>,
    /// Where to; on its first part.
    #[prost(message, optional, tag = "2")]
    pub options: Option<BatchOptions>,
    /// Events.
    #[prost(message, repeated, tag = "3")]
    pub events: Vec<ProposedEvent>,
    /// Whether it is the last part.
    #[prost(bool, tag = "4")]
    pub is_final: bool,
}

/// Where a batch goes.
#[derive(Clone, PartialEq, Message)]
pub struct BatchOptions {
    /// The stream.
    #[prost(message, optional, tag = "1")]
    pub stream: Option<StreamIdentifier>,
    /// What is expected of it.
    #[prost(oneof = "WireExpected", tags = "2, 3, 4, 5")]
    pub expected: Option<WireExpected>,
    /// Until when, in the form of old clients.
    #[prost(message, optional, tag = "6")]
    pub deadline_at: Option<TimeParts>,
    /// How long it may take.
    #[prost(message, optional, tag = "7")]
    pub deadline: Option<TimeParts>,
}

/// The answer to one of the appends on a stream of appends.
#[derive(Clone, PartialEq, Message)]
pub struct BatchResp {
    /// Which append.
    #[prost(message, optional, tag = "1")]
    pub correlation: Option<WireId>,
    /// How it went.
    #[prost(oneof = "BatchResult", tags = "2, 3")]
    pub result: Option<BatchResult>,
    /// The stream.
    #[prost(message, optional, tag = "4")]
    pub stream: Option<StreamIdentifier>,
    /// What was expected of it.
    #[prost(oneof = "BatchExpected", tags = "5, 6, 7, 8")]
    pub expected: Option<BatchExpected>,
}

/// How an append of a stream of appends went.
#[derive(Clone, PartialEq, Oneof)]
pub enum BatchResult {
    /// It failed.
    #[prost(message, tag = "2")]
    Error(InnerStatus),
    /// It is durable.
    #[prost(message, tag = "3")]
    Success(AppendSuccess),
}

/// What was expected of a batch's stream.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum BatchExpected {
    /// This last revision.
    #[prost(uint64, tag = "5")]
    Revision(u64),
    /// No event.
    #[prost(message, tag = "6")]
    NoStream(Empty),
    /// Nothing.
    #[prost(message, tag = "7")]
    Any(Empty),
    /// An event.
    #[prost(message, tag = "8")]
    Exists(Empty),
}
