//! Many appends on one stream: each is gathered from its parts, made as one, and answered when it
//! is durable. They are made one after the other, in the order in which they were completed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cx_ledger::{APPEND_LIMIT, Expected};
use cx_model::StreamName;
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use tokio::time::Instant;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use super::append::{Gathered, appended, success};
use super::event::{expected, stream_name};
use super::fault::{Fault, append_too_large, unread};
use super::room::{Held, Taken};
use super::store::{Outcome, Store};
use super::wire::shared::{
    AnyMessage, BadRequestDetail, CurrentRevision, DetailExpected, Empty, InnerStatus,
    StreamDeletedDetail, StreamIdentifier, TooLargeDetail, WireId, WrongVersionDetail,
};
use super::wire::streams::{
    BatchExpected, BatchOptions, BatchReq, BatchResp, BatchResult, WireExpected,
};
use crate::auth::Caller;

/// How many appends may be begun and not completed on one stream.
const OPEN: usize = 64;
/// How many bytes they may hold together.
const OPEN_BYTES: usize = 2 * APPEND_LIMIT;
/// How many bytes stand before each message.
const FRAME: usize = 5;
/// The longest that the parts of an append may take to come, and then the append.
pub(super) const LONGEST: Duration = Duration::from_mins(1);

/// An append whose parts are still coming in.
struct Begun {
    correlation: WireId,
    options: BatchOptions,
    gathered: Result<Gathered, Fault>,
    /// How many bytes of the room its parts took up.
    room: usize,
    /// When its last part must have come.
    until: Instant,
}

/// A stream of appends.
struct Batches {
    store: Arc<Store>,
    caller: Caller,
    parts: Streaming<BatchReq>,
    held: Held,
    begun: HashMap<Uuid, Begun>,
    longest: Duration,
}

/// Takes appends until the client has no more.
pub(super) fn batches(
    store: Arc<Store>,
    caller: Caller,
    parts: Streaming<BatchReq>,
    held: Held,
    longest: Duration,
) -> BoxStream<'static, Result<BatchResp, Status>> {
    let batches = Batches { store, caller, parts, held, begun: HashMap::new(), longest };
    let next = |batches: Option<Batches>| async {
        let mut batches = batches?;
        match batches.next().await {
            Ok(Some(answer)) => Some((Ok(answer), Some(batches))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    };
    stream::unfold(Some(batches), next).boxed()
}

impl Batches {
    async fn next(&mut self) -> Result<Option<BatchResp>, Status> {
        let too_large = |status| unread(status, APPEND_LIMIT);
        while let Some(part) = self.part().await?.transpose().map_err(too_large)? {
            let room = FRAME + part.encoded_len();
            let correlation = part.correlation.clone().unwrap_or_default();
            let id = correlation.id();
            let id = id.ok_or_else(|| Fault::Bad("a batch has no correlation id".into()))?;
            if !self.begun.contains_key(&id) && self.begun.len() >= OPEN {
                let reason = format!("complete some of the {OPEN} batches that are begun");
                return Err(Fault::Bad(reason).into());
            }
            let gathered = self.begun.values().flat_map(|begun| &begun.gathered);
            if gathered.map(|gathered| gathered.bytes).sum::<usize>() > OPEN_BYTES {
                return Err(append_too_large().into());
            }
            let begun = self.begun.entry(id).or_insert_with(|| Begun {
                correlation,
                options: BatchOptions::default(),
                gathered: Ok(Gathered::default()),
                room: 0,
                until: Instant::now() + self.longest,
            });
            begun.room += room;
            if let Some(options) = part.options {
                begun.options = options;
            }
            for event in part.events {
                let Ok(gathered) = &mut begun.gathered else { break };
                if let Err(fault) = gathered.take(event) {
                    begun.gathered = Err(fault);
                }
            }
            if part.is_final {
                let begun = self.begun.remove(&id).expect("it was just there");
                let room = self.held.part(begun.room);
                let (store, caller) = (Arc::clone(&self.store), self.caller.clone());
                return Ok(Some(begun.complete(store, caller, room).await));
            }
        }
        Ok(None)
    }

    /// The next part. What is begun must be completed in time, and so must a part whose bytes come
    /// in: what holds room and does not go on ends the stream.
    async fn part(&mut self) -> Result<Option<Result<BatchReq, Status>>, Status> {
        let mut held_before = false;
        loop {
            let first = self.begun.values().map(|begun| begun.until).min();
            let until = first.unwrap_or_else(|| Instant::now() + self.longest);
            // Whoever goes on sending other parts does not hold one for ever.
            let overdue = until <= Instant::now();
            if !overdue && let Ok(part) = tokio::time::timeout_at(until, self.parts.next()).await {
                return Ok(part);
            }
            let holds = !self.held.is_nothing();
            if first.is_some() || (holds && held_before) {
                let late = "a batch was begun and not completed in time; append it again";
                return Err(Fault::Late(late.into()).into());
            }
            held_before = holds;
        }
    }
}

impl Begun {
    async fn complete(self, store: Arc<Store>, caller: Caller, room: Option<Taken>) -> BatchResp {
        let wanted = expected(self.options.expected);
        let named = self.options.stream.clone();
        let result = match self.make(store, caller, wanted, room).await {
            Ok(Outcome::Appended(appended)) => BatchResult::Success(success(&appended)),
            Ok(Outcome::Conflict(actual)) => BatchResult::Error(conflict(wanted, actual)),
            Err(fault) => BatchResult::Error(told(&fault)),
        };
        BatchResp {
            correlation: Some(self.correlation),
            result: Some(result),
            stream: named,
            expected: self.options.expected.map(|expected| match expected {
                WireExpected::Revision(revision) => BatchExpected::Revision(revision),
                WireExpected::NoStream(empty) => BatchExpected::NoStream(empty),
                WireExpected::Any(empty) => BatchExpected::Any(empty),
                WireExpected::Exists(empty) => BatchExpected::Exists(empty),
            }),
        }
    }

    async fn make(
        &self,
        store: Arc<Store>,
        caller: Caller,
        expected: Expected,
        room: Option<Taken>,
    ) -> Result<Outcome, Fault> {
        let gathered = self.gathered.as_ref().map_err(Clone::clone)?;
        let stream: StreamName = stream_name(self.options.stream.as_ref())?;
        let making = appended(store, caller, stream, expected, gathered.events.clone(), room);
        // A task of its own: once it is begun it holds up others until its end, and nobody asks for
        // the answers of a client that takes none.
        let making = tokio::spawn(making);
        let late = Fault::Late("the append took longer than its deadline; append again".into());
        let made = tokio::time::timeout(self.patience(), making).await.map_err(|_| late)?;
        made.map_err(|_| Fault::Failed("the server ended; the outcome is not known".into()))?
    }

    /// How long the append may take. Some clients send a time of the calendar as the span: no more
    /// than the longest.
    fn patience(&self) -> Duration {
        let span = self.options.deadline.map(|deadline| {
            let seconds = u64::try_from(deadline.seconds).unwrap_or(0);
            Duration::new(seconds, u32::try_from(deadline.nanos).unwrap_or(0).min(999_999_999))
        });
        span.filter(|span| !span.is_zero()).unwrap_or(LONGEST).min(LONGEST)
    }
}

fn conflict(expected: Expected, actual: Option<u64>) -> InnerStatus {
    let detail = WrongVersionDetail {
        current: Some(match actual {
            Some(revision) => CurrentRevision::Revision(revision),
            None => CurrentRevision::NoStream(Empty {}),
        }),
        expected: Some(match expected {
            Expected::Revision(revision) => DetailExpected::Revision(revision),
            Expected::NoStream => DetailExpected::NoStream(Empty {}),
            Expected::Any => DetailExpected::Any(Empty {}),
            Expected::StreamExists => DetailExpected::Exists(Empty {}),
        }),
    };
    InnerStatus {
        code: Code::AlreadyExists as i32,
        message: "the stream is not as expected".into(),
        detail: Some(AnyMessage::of("WrongExpectedVersion", &detail)),
    }
}

fn told(fault: &Fault) -> InnerStatus {
    let (code, detail) = match fault {
        Fault::Deleted { stream } => {
            let stream = Some(StreamIdentifier::of(stream));
            let detail = StreamDeletedDetail { stream };
            (Code::NotFound, AnyMessage::of("StreamDeleted", &detail))
        }
        Fault::Denied(_) | Fault::Unauthenticated => {
            (Code::PermissionDenied, AnyMessage::of("AccessDenied", &Empty {}))
        }
        Fault::Late(_) => (Code::DeadlineExceeded, AnyMessage::of("Timeout", &Empty {})),
        Fault::TooLarge { .. } => {
            let detail = TooLargeDetail { limit: APPEND_LIMIT as u32 };
            (Code::InvalidArgument, AnyMessage::of("MaximumAppendSizeExceeded", &detail))
        }
        Fault::Bad(_) | Fault::Missing(_) => {
            let detail = BadRequestDetail { message: fault.to_string() };
            (Code::InvalidArgument, AnyMessage::of("BadRequest", &detail))
        }
        other => (other.code(), AnyMessage::of("Unknown", &Empty {})),
    };
    InnerStatus { code: code as i32, message: fault.to_string(), detail: Some(detail) }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use cx_ledger::MemoryLedger;
    use tonic::codec::{Codec, ProstCodec};

    use super::*;
    use crate::esdb::room::Room;

    /// Batches of which these bytes come, and then nothing more.
    fn of(room: &Room, bytes: Vec<u8>) -> BoxStream<'static, Result<BatchResp, Status>> {
        let sent = stream::iter([Ok::<_, Infallible>(bytes)]).chain(stream::pending());
        let (body, held) = room.counted(None, Body::from_stream(sent));
        let decoder = ProstCodec::<BatchResp, BatchReq>::default().decoder();
        let parts = Streaming::new_request(decoder, body, None, None);
        let store = Arc::new(Store::new(Arc::new(MemoryLedger::new()), None));
        batches(store, Caller::LOCAL, parts, held, Duration::from_millis(20))
    }

    fn framed(part: &BatchReq) -> Vec<u8> {
        let mut frame = vec![0];
        frame.extend((part.encoded_len() as u32).to_be_bytes());
        frame.extend(part.encode_to_vec());
        frame
    }

    #[tokio::test]
    async fn a_batch_that_is_never_completed_ends_its_stream_and_gives_its_room_back() {
        let room = Room::default();
        let correlation = Some(WireId::text(Uuid::from_u128(1)));
        let begun = framed(&BatchReq { correlation, ..BatchReq::default() });
        let all = room.free();
        for bytes in [begun.clone(), begun[..begun.len() - 1].to_vec()] {
            let mut answers = of(&room, bytes);
            let status = answers.next().await.unwrap().unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
            assert!(answers.next().await.is_none());
            drop(answers);
            assert_eq!(room.free(), all);
        }
    }

    #[tokio::test]
    async fn a_stream_with_nothing_begun_may_wait() {
        let mut answers = of(&Room::default(), Vec::new());
        let waiting = tokio::time::timeout(Duration::from_millis(100), answers.next());
        assert!(waiting.await.is_err());
    }

    #[tokio::test]
    async fn an_append_has_its_room_until_it_is_done_though_its_caller_is_gone() {
        let room = Room::default();
        let all = room.free();
        let (mut body, held) = room.counted(None, Body::from(vec![7; 100]));
        http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
        let store = Arc::new(Store::new(Arc::new(MemoryLedger::new()), None));
        let stream = StreamName::new("room-1").unwrap();
        let (caller, taken) = (Caller::LOCAL, held.part(100));
        let holding = store.hold(&stream);
        let append = appended(Arc::clone(&store), caller, stream, Expected::Any, Vec::new(), taken);
        assert!(futures::FutureExt::now_or_never(append).is_none());
        drop((body, held));
        assert_eq!(room.free(), all - 100);
        drop(holding);
        while room.free() < all {
            tokio::task::yield_now().await;
        }
    }
}
