//! From a path to a method: who may call it, how long it may take, what it answers.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cx_ledger::APPEND_LIMIT;
use futures::stream::BoxStream;
use prost::Message;
use tonic::codec::ProstCodec;
use tonic::server::Grpc;
use tonic::{Status, Streaming};

use super::fault::{Fault, MESSAGE_LIMIT};
use super::{Endpoint, access, node, persistent, streams};
use crate::auth::Caller;

/// Room for what surrounds the events of a batch.
const BATCH_LIMIT: usize = APPEND_LIMIT + (4 << 20);
/// The longest that a call with one answer may take.
const LONGEST: Duration = Duration::from_mins(2);

/// Everything that the endpoint answers.
pub(super) fn router(endpoint: Endpoint, address: SocketAddr) -> axum::Router {
    let live = get(|| async { StatusCode::NO_CONTENT });
    let call = move |request: Request| {
        let endpoint = endpoint.clone();
        async move { answer(endpoint, address, request).await }
    };
    axum::Router::new()
        .route("/health/live", live.head(|| async { StatusCode::NO_CONTENT }))
        .fallback(call)
}

/// One call.
pub(super) struct Call {
    pub endpoint: Endpoint,
    pub caller: Caller,
    pub address: SocketAddr,
    request: Request,
}

async fn answer(endpoint: Endpoint, address: SocketAddr, request: Request) -> Response {
    let headers = request.headers();
    let is_grpc = headers
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        return (StatusCode::NOT_FOUND, "this is an event store: ask with one of its clients\n")
            .into_response();
    }
    let path = request.uri().path().to_owned();
    let Some((service, method)) = path.trim_start_matches('/').split_once('/') else {
        return refused(Status::unimplemented("the path names no method"));
    };
    let service = service.strip_prefix("event_store.client.");
    // Clients ask what a node can do, and who else there is, before they say who they are.
    let about_the_node =
        matches!(service, Some("server_features.ServerFeatures" | "gossip.Gossip"));
    let caller = match access::caller(endpoint.shared.tokens.as_ref(), headers) {
        Ok(caller) => caller,
        Err(_) if about_the_node => Caller::LOCAL,
        Err(fault) => return refused(fault.into()),
    };
    let call = Call { endpoint, caller, address, request };
    match service {
        Some("streams.Streams") => streams::call(method, call).await,
        Some("server_features.ServerFeatures") => node::features(method, call).await,
        Some("gossip.Gossip") => node::gossip(method, call).await,
        Some("persistent_subscriptions.PersistentSubscriptions") => {
            persistent::call(method, call).await
        }
        _ => unknown(),
    }
}

/// The answer to a method that is not served.
pub(super) fn unknown() -> Response {
    refused(Status::unimplemented("this event store has no such method"))
}

fn refused(status: Status) -> Response {
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

/// Within the time that the client waits.
async fn in_time<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let late = || Fault::Late("no answer within the deadline; its outcome is not known".into());
    tokio::time::timeout(patience, answer).await.map_err(|_| late())?
}

impl Call {
    /// What the client calls its connection.
    pub fn connection_name(&self) -> String {
        let name = self.request.headers().get("connection-name");
        name.and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned()
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
            let answer = in_time(patience, method(question.into_inner()));
            async { answer.await.map(tonic::Response::new) }
        });
        grpc::<A, Q>(MESSAGE_LIMIT).unary(service, self.request).await.map(Body::new)
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
        grpc::<A, Q>(MESSAGE_LIMIT).server_streaming(service, self.request).await.map(Body::new)
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
            let answer = in_time(patience, method(questions.into_inner()));
            async { answer.await.map(tonic::Response::new) }
        });
        grpc::<A, Q>(MESSAGE_LIMIT).client_streaming(service, self.request).await.map(Body::new)
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
        grpc::<A, Q>(BATCH_LIMIT).streaming(service, self.request).await.map(Body::new)
    }
}

fn grpc<A, Q>(limit: usize) -> Grpc<ProstCodec<A, Q>>
where
    A: Message + 'static,
    Q: Message + Default + 'static,
{
    Grpc::new(ProstCodec::default())
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit)
}
