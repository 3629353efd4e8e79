//! Messages that several services use.

use bytes::Bytes;
use prost::{Message, Oneof};
use uuid::Uuid;

/// Nothing; as a choice it says which one was made.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Empty {}

/// An id, as two numbers or as text.
#[derive(Clone, PartialEq, Message)]
pub struct WireId {
    /// In which form.
    #[prost(oneof = "IdForm", tags = "1, 2")]
    pub form: Option<IdForm>,
}

/// The forms of an id.
#[derive(Clone, PartialEq, Oneof)]
pub enum IdForm {
    /// As two numbers.
    #[prost(message, tag = "1")]
    Halves(IdHalves),
    /// As text.
    #[prost(string, tag = "2")]
    Text(String),
}

/// The 128 bits of an id, the upper half first.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct IdHalves {
    /// The upper 64 bits.
    #[prost(int64, tag = "1")]
    pub upper: i64,
    /// The lower 64 bits.
    #[prost(int64, tag = "2")]
    pub lower: i64,
}

impl WireId {
    /// As text.
    pub fn text(id: Uuid) -> Self {
        Self { form: Some(IdForm::Text(id.to_string())) }
    }

    /// As two numbers.
    pub fn halves(id: Uuid) -> Self {
        let (upper, lower) = id.as_u64_pair();
        let halves = IdHalves { upper: upper.cast_signed(), lower: lower.cast_signed() };
        Self { form: Some(IdForm::Halves(halves)) }
    }

    /// The id, if it is one.
    pub fn id(&self) -> Option<Uuid> {
        match self.form.as_ref()? {
            IdForm::Halves(IdHalves { upper, lower }) => {
                Some(Uuid::from_u64_pair(upper.cast_unsigned(), lower.cast_unsigned()))
            }
            IdForm::Text(text) => Uuid::try_parse(text).ok(),
        }
    }
}

/// The name of a stream.
#[derive(Clone, PartialEq, Message)]
pub struct StreamIdentifier {
    /// In UTF-8.
    #[prost(bytes = "bytes", tag = "3")]
    pub stream_name: Bytes,
}

impl StreamIdentifier {
    /// Of a name.
    pub fn of(name: &str) -> Self {
        Self { stream_name: Bytes::copy_from_slice(name.as_bytes()) }
    }
}

/// A place in the order of commit.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct AllPosition {
    /// The commit part.
    #[prost(uint64, tag = "1")]
    pub commit: u64,
    /// The prepare part.
    #[prost(uint64, tag = "2")]
    pub prepare: u64,
}

impl From<cx_model::Position> for AllPosition {
    fn from(position: cx_model::Position) -> Self {
        Self { commit: position.commit(), prepare: position.prepare() }
    }
}

/// The last revision of a stream.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum CurrentRevision {
    /// It is this.
    #[prost(uint64, tag = "1")]
    Revision(u64),
    /// There is none.
    #[prost(message, tag = "2")]
    NoStream(Empty),
}

/// A time or a span of time.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct TimeParts {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// And nanoseconds.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// Names one stream, or all.
pub trait OneOrAll {
    /// The stream, none for all.
    fn stream(&self) -> Option<&StreamIdentifier>;
}

/// A choice between one stream and all of them, which several messages have under numbers of their
/// own.
macro_rules! stream_or_all {
    ($(#[$about:meta])* $name:ident, $stream:literal, $all:literal) => {
        $(#[$about])*
        #[derive(Clone, PartialEq, Oneof)]
        pub enum $name {
            /// One.
            #[prost(message, tag = $stream)]
            Stream(StreamIdentifier),
            /// All.
            #[prost(message, tag = $all)]
            All(Empty),
        }

        impl $crate::esdb::wire::shared::OneOrAll for $name {
            fn stream(&self) -> Option<&StreamIdentifier> {
                match self {
                    Self::Stream(stream) => Some(stream),
                    Self::All(_) => None,
                }
            }
        }
    };
}
pub(super) use stream_or_all;

/// The detail of a failed batch: the stream was not as expected.
#[derive(Clone, PartialEq, Message)]
pub struct WrongVersionDetail {
    /// How it was.
    #[prost(oneof = "CurrentRevision", tags = "1, 2")]
    pub current: Option<CurrentRevision>,
    /// How it was expected to be.
    #[prost(oneof = "DetailExpected", tags = "3, 4, 5, 6")]
    pub expected: Option<DetailExpected>,
}

/// How a stream was expected to be.
#[derive(Clone, PartialEq, Oneof)]
pub enum DetailExpected {
    /// Its last revision.
    #[prost(uint64, tag = "3")]
    Revision(u64),
    /// Of any kind.
    #[prost(message, tag = "4")]
    Any(Empty),
    /// With an event.
    #[prost(message, tag = "5")]
    Exists(Empty),
    /// Without one.
    #[prost(message, tag = "6")]
    NoStream(Empty),
}

/// The detail of a failed batch: the stream is deleted for ever.
#[derive(Clone, PartialEq, Message)]
pub struct StreamDeletedDetail {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub stream: Option<StreamIdentifier>,
}

/// The detail of a failed batch: too large.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct TooLargeDetail {
    /// The limit in bytes.
    #[prost(uint32, tag = "1")]
    pub limit: u32,
}

/// The detail of a failed batch: it makes no sense.
#[derive(Clone, PartialEq, Message)]
pub struct BadRequestDetail {
    /// Why.
    #[prost(string, tag = "1")]
    pub message: String,
}

/// A status inside an answer; its detail is one message, not a list.
#[derive(Clone, PartialEq, Message)]
pub struct InnerStatus {
    /// The gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What happened.
    #[prost(string, tag = "2")]
    pub message: String,
    /// More about it.
    #[prost(message, optional, tag = "3")]
    pub detail: Option<AnyMessage>,
}

/// A message with the name of its type.
#[derive(Clone, PartialEq, Message)]
pub struct AnyMessage {
    /// `type.googleapis.com/` and the message's full name.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

impl AnyMessage {
    /// Of a message in the package `event_store.client`.
    pub fn of(name: &str, message: &impl Message) -> Self {
        let type_url = format!("type.googleapis.com/event_store.client.{name}");
        Self { type_url, value: message.encode_to_vec() }
    }
}
