//! Reading from a persistent subscription, and saying what became of each event.

use bytes::Bytes;
use prost::{Message, Oneof};

use super::super::shared::{Empty, StreamIdentifier, WireId, stream_or_all};
use super::super::streams::{Confirmation, EventPosition, IdOption, WireEvent};

/// A message of the consumer.
#[derive(Clone, PartialEq, Message)]
pub struct ConsumerReq {
    /// Of which kind.
    #[prost(oneof = "ConsumerContent", tags = "1, 2, 3")]
    pub content: Option<ConsumerContent>,
}

/// What a consumer says: first the options, then what became of events.
#[derive(Clone, PartialEq, Oneof)]
pub enum ConsumerContent {
    /// What to read.
    #[prost(message, tag = "1")]
    Options(ConsumerOptions),
    /// Events are done.
    #[prost(message, tag = "2")]
    Ack(Ack),
    /// Events are not done.
    #[prost(message, tag = "3")]
    Nack(Nack),
}

/// What a consumer reads and how.
#[derive(Clone, PartialEq, Message)]
pub struct ConsumerOptions {
    /// Of one stream or of all.
    #[prost(oneof = "ConsumedStream", tags = "1, 5")]
    pub of: Option<ConsumedStream>,
    /// The group.
    #[prost(string, tag = "2")]
    pub group: String,
    /// How many events it may have at a time.
    #[prost(int32, tag = "3")]
    pub buffer_size: i32,
    /// How ids are written.
    #[prost(message, optional, tag = "4")]
    pub ids: Option<IdOption>,
}

stream_or_all! {
    /// The stream of a group.
    ConsumedStream, "1", "5"
}

/// Events are done.
#[derive(Clone, PartialEq, Message)]
pub struct Ack {
    /// The id of the subscription; not needed.
    #[prost(bytes = "bytes", tag = "1")]
    pub subscription: Bytes,
    /// Which.
    #[prost(message, repeated, tag = "2")]
    pub ids: Vec<WireId>,
}

/// Events are not done.
#[derive(Clone, PartialEq, Message)]
pub struct Nack {
    /// The id of the subscription; not needed.
    #[prost(bytes = "bytes", tag = "1")]
    pub subscription: Bytes,
    /// Which.
    #[prost(message, repeated, tag = "2")]
    pub ids: Vec<WireId>,
    /// 0 unknown, 1 park, 2 retry, 3 skip, 4 stop.
    #[prost(int32, tag = "3")]
    pub action: i32,
    /// Why.
    #[prost(string, tag = "4")]
    pub reason: String,
}

/// A message to a consumer.
#[derive(Clone, PartialEq, Message)]
pub struct ConsumerResp {
    /// Of which kind.
    #[prost(oneof = "ConsumerAnswer", tags = "1, 2")]
    pub content: Option<ConsumerAnswer>,
}

/// What a consumer is told.
#[derive(Clone, PartialEq, Oneof)]
// Nearly every one is an event.
#[allow(clippy::large_enum_variant)]
pub enum ConsumerAnswer {
    /// An event.
    #[prost(message, tag = "1")]
    Event(ConsumedEvent),
    /// The subscription has begun.
    #[prost(message, tag = "2")]
    Confirmation(Confirmation),
}

/// An event, the link that led to it, and how often it was told before.
#[derive(Clone, PartialEq, Message)]
pub struct ConsumedEvent {
    /// The event; none if the link leads nowhere.
    #[prost(message, optional, tag = "1")]
    pub event: Option<WireEvent>,
    /// The link.
    #[prost(message, optional, tag = "2")]
    pub link: Option<WireEvent>,
    /// Where it stands.
    #[prost(oneof = "EventPosition", tags = "3, 4")]
    pub position: Option<EventPosition>,
    /// How often it was told before.
    #[prost(oneof = "Retries", tags = "5, 6")]
    pub retries: Option<Retries>,
}

/// How often an event was told before.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum Retries {
    /// So often.
    #[prost(int32, tag = "5")]
    Count(i32),
    /// Not known.
    #[prost(message, tag = "6")]
    None(Empty),
}
