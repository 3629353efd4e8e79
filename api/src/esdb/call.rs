//! One call: how large its messages may be, how long it may take, and in which of the four forms it
//! is answered.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use cx_ledger::{APPEND_LIMIT, EVENT_LIMIT};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use prost::Message;
use tonic::codec::ProstCodec;
use tonic::server::Grpc;
use tonic::{Code, Status, Streaming};

use super::Endpoint;
use super::fault::{Fault, unread};
use super::room::Held;
use super::taking::{UNTAKEN, taken};
use crate::auth::Caller;

/// The largest answer: a link with what it points at, and what surrounds them.
const ANSWER_LIMIT: usize = 2 * EVENT_LIMIT + (1 << 20);
/// The largest message that brings no events: names, settings, a filter, acknowledgements.
pub(super) const PLAIN_LIMIT: usize = 256 << 10;
/// The largest message of a batch: its events and what surrounds them.
pub(super) const BATCH_LIMIT: usize = APPEND_LIMIT + (4 << 20);
/// The longest that a call with one answer may take.
const LONGEST: Duration = Duration::from_mins(2);

/// One call.
pub(super) struct Call {
    pub endpoint: Endpoint,
    pub caller: Caller,
    pub address: SocketAddr,
    pub limit: usize,
    pub request: Request,
}

/// The answer to a method that is not served.
pub(super) fn unknown() -> Response {
    refused(Status::unimplemented("this event store has no such method"))
}

/// The answer that is nothing but a status.
pub(super) fn refused(status: Status) -> Response {
    status.into_http::<tonic::body::Body>().map(Body::new)
}

/// How long the client waits, from the header `grpc-timeout`, such as `10S` or `500m`.
fn patience(headers: &HeaderMap) -> Duration {
    let read = || {
        let text = headers.get("grpc-timeout")?.to_str().ok()?;
        let unit = text.chars().last()?;
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(match unit {
            'H' => Duration::from_secs(number.checked_mul(3600)?),
            'M' => Duration::from_secs(number.checked_mul(60)?),
            'S' => Duration::from_secs(number),
            'm' => Duration::from_millis(number),
            'u' => Duration::from_micros(number),
            'n' => Duration::from_nanos(number),
            _ => return None,
        })
    };
    read().unwrap_or(LONGEST).min(LONGEST)
}

/// An answer, or the beginning of one, within so much time: the question's way here counts too. A
/// question over the limit of messages is answered as clients know it.
async fn in_time(
    (patience, limit): (Duration, usize),
    answer: BoxFuture<'_, axum::http::Response<tonic::body::Body>>,
) -> Response {
    let late = || Fault::Late("no answer within the deadline; its outcome is not known".into());
    let Ok(answer) = tokio::time::timeout(patience, answer).await else {
        return refused(late().into());
    };
    match Status::from_header_map(answer.headers()) {
        Some(status) if status.code() == Code::OutOfRange => refused(unread(status, limit)),
        _ => answer.map(Body::new),
    }
}

impl Call {
    /// What the client calls its connection.
    pub fn connection_name(&self) -> String {
        let name = self.request.headers().get("connection-name");
        name.and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// The call brings events: messages of this size, and no more of all calls than there is room
    /// for.
    pub fn bringing(self, limit: usize) -> (Self, Held) {
        let (parts, body) = self.request.into_parts();
        let (counted, held) = self.endpoint.shared.room.counted(self.caller.name.clone(), body);
        let request = Request::from_parts(parts, counted);
        (Self { limit, request, ..self }, held)
    }

    /// A method with one question and one answer.
    pub async fn unary<Q, A, F>(self, method: impl Fn(Q) -> F + Send + Sync) -> Response
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        F: Future<Output = Result<A, Status>> + Send,
    {
        let patience = patience(self.request.headers());
        let service = tower::service_fn(|question: tonic::Request<Q>| {
            let answer = method(question.into_inner());
            async { answer.await.map(tonic::Response::new) }
        });
        let mut grpc = grpc::<A, Q>(self.limit);
        in_time((patience, self.limit), grpc.unary(service, self.request).boxed()).await
    }

    /// A method with one question and a stream of answers.
    pub async fn answers<Q, A, F>(self, method: impl Fn(Q) -> F + Send + Sync) -> Response
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        F: Future<Output = Result<BoxStream<'static, Result<A, Status>>, Status>> + Send,
    {
        let service = tower::service_fn(|question: tonic::Request<Q>| {
            let answer = method(question.into_inner());
            async { answer.await.map(tonic::Response::new) }
        });
        let mut grpc = grpc::<A, Q>(self.limit);
        let answer = grpc.server_streaming(service, self.request).boxed();
        in_time((LONGEST, self.limit), answer).await.map(|body| taken(body, UNTAKEN))
    }

    /// A method with a stream of questions and one answer.
    pub async fn questions<Q, A, F>(
        self,
        method: impl Fn(Streaming<Q>) -> F + Send + Sync,
    ) -> Response
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        F: Future<Output = Result<A, Status>> + Send,
    {
        let patience = patience(self.request.headers());
        let service = tower::service_fn(|questions: tonic::Request<Streaming<Q>>| {
            let answer = method(questions.into_inner());
            async { answer.await.map(tonic::Response::new) }
        });
        let mut grpc = grpc::<A, Q>(self.limit);
        in_time((patience, self.limit), grpc.client_streaming(service, self.request).boxed()).await
    }

    /// A method with streams both ways.
    pub async fn both<Q, A, F>(self, method: impl Fn(Streaming<Q>) -> F + Send + Sync) -> Response
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        F: Future<Output = Result<BoxStream<'static, Result<A, Status>>, Status>> + Send,
    {
        let service = tower::service_fn(|questions: tonic::Request<Streaming<Q>>| {
            let answer = method(questions.into_inner());
            async { answer.await.map(tonic::Response::new) }
        });
        let mut grpc = grpc::<A, Q>(self.limit);
        in_time((LONGEST, self.limit), grpc.streaming(service, self.request).boxed()).await
    }
}

fn grpc<A, Q>(limit: usize) -> Grpc<ProstCodec<A, Q>>
where
    A: Message + 'static,
    Q: Message + Default + 'static,
{
    Grpc::new(ProstCodec::default())
        .max_decoding_message_size(limit)
        .max_encoding_message_size(ANSWER_LIMIT)
}
