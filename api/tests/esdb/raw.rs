//! Calls without a client: what is on the wire of an answer, and calls that no client makes.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// A field of a message: its number and what is in it.
pub fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 127 {
        bytes.push(length as u8 | 128);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

/// Asks to delete a stream, whatever its revision.
pub fn deletion(stream: &[u8]) -> Vec<u8> {
    field(1, &[field(1, &field(3, stream)), field(4, &[])].concat())
}

/// Calls a method with one message; the status and all headers and trailers of the answer.
pub async fn call(
    address: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
    message: &[u8],
) -> (StatusCode, HeaderMap) {
    whole(open(address, method, headers, message).await).await
}

/// Calls a method with one message, until its answer begins.
pub async fn open(
    address: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
    message: &[u8],
) -> Response<Incoming> {
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    client.request(request(address, method, headers, message)).await.unwrap()
}

/// A call of a method with one message.
pub fn request(
    address: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
    message: &[u8],
) -> Request<Body> {
    request_of(address, method, headers, &[message])
}

/// A call of a method with these messages.
pub fn request_of(
    address: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
    messages: &[&[u8]],
) -> Request<Body> {
    let mut frames = Vec::new();
    for message in messages {
        frames.push(0);
        frames.extend((message.len() as u32).to_be_bytes());
        frames.extend(*message);
    }
    let uri = format!("http://{address}/event_store.client.{method}");
    let mut request = Request::post(uri).header("content-type", "application/grpc");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(frames)).unwrap()
}

/// An answer to its end: the status, and all headers and trailers.
pub async fn whole(answer: Response<Incoming>) -> (StatusCode, HeaderMap) {
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await.unwrap();
    head.headers.extend(body.trailers().cloned().unwrap_or_default());
    (head.status, head.headers)
}
