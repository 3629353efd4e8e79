//! From a path to a service: who may call it, and how much they may ask.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::{StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tonic::Status;

use super::call::{Call, PLAIN_LIMIT, refused, unknown};
use super::{Endpoint, access, node, persistent, streams};
use crate::auth::{Caller, Role};

/// The largest question to a service that asks nobody who they are.
const OPEN_LIMIT: usize = 4 << 10;

/// Answers one request. What it becomes lies in a box of its own: a request is moved several times
/// on its way here and to its task, and the largest service would be moved along with each.
pub(super) async fn answer(endpoint: Endpoint, address: SocketAddr, request: Request) -> Response {
    let headers = request.headers();
    let is_grpc = headers
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if request.uri().path() == "/health/live" {
        return StatusCode::NO_CONTENT.into_response();
    }
    if !is_grpc {
        return (StatusCode::NOT_FOUND, "this is an event store: ask with one of its clients\n")
            .into_response();
    }
    // The clients speak HTTP/2 and are no pages. A browser that was led here by a page, whatever
    // name that page gave this address, says where it comes from or speaks HTTP/1.1.
    if request.version() != Version::HTTP_2 || headers.contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "an event store is asked over HTTP/2, and by no page\n")
            .into_response();
    }
    let path = request.uri().path().to_owned();
    let Some((service, method)) = path.trim_start_matches('/').split_once('/') else {
        return refused(Status::unimplemented("the path names no method"));
    };
    let service = service.strip_prefix("event_store.client.").unwrap_or_default();
    let open = ["server_features.ServerFeatures", "gossip.Gossip"].contains(&service);
    let caller = match access::caller(endpoint.shared.tokens.as_ref(), request.headers()) {
        Ok(caller) => caller,
        // Clients ask these before they say who they are.
        Err(_) if open => Caller { role: Role::Reader, name: None },
        Err(fault) => return refused(fault.into()),
    };
    // What everybody may ask has no content to speak of.
    let limit = if open { OPEN_LIMIT } else { PLAIN_LIMIT };
    let call = Call { endpoint, caller, address, limit, request };
    match service {
        "streams.Streams" => streams::call(method, call).boxed().await,
        "server_features.ServerFeatures" => node::features(method, call).boxed().await,
        "gossip.Gossip" => node::gossip(method, call).boxed().await,
        "persistent_subscriptions.PersistentSubscriptions" => {
            persistent::call(method, call).boxed().await
        }
        _ => unknown(),
    }
}
