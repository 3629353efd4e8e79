//! Server-sent events: one subscription a connection, as graphql-sse's distinct mode has it.
//!
//! Each answer is an `event: next` whose `id:` is its position; a client that comes back with
//! `Last-Event-ID` goes on exactly there. `event: complete` ends a stream for good; a stream that
//! ends without it wants to be taken up again.

use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::{Executor, Request, Response as Answer};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;

use super::answer::written;
use super::{Api, media};
use crate::executor::Prepared;

/// A prepared subscription as an event stream; `None` if too many are open.
pub(super) fn stream<S: Executor>(
    api: &Arc<Api<S>>,
    prepared: &Prepared,
    request: Request,
) -> Option<Response> {
    let place = Arc::clone(&api.live).try_acquire_owned().ok()?;
    let (events, body) = mpsc::channel::<Bytes>(api.config.live.buffer);
    let answers = api.executor.run_stream(prepared, request, None);
    let api = Arc::clone(api);
    tokio::spawn(async move {
        send(&api, answers, events).await;
        drop(place);
    });
    let body = futures::stream::unfold(body, |mut body| async move {
        body.recv().await.map(|event| (Ok::<_, Infallible>(event), body))
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Some(response)
}

async fn send<S: Executor>(
    api: &Api<S>,
    mut answers: BoxStream<'static, Answer>,
    events: mpsc::Sender<Bytes>,
) {
    let _open = api.executor.metrics().stream();
    let mut draining = api.drain.watch();
    let live = &api.config.live;
    // A first comment makes the headers travel before the first answer is there.
    let mut event = Bytes::from_static(b":\n\n");
    loop {
        let last = event.starts_with(b"event: complete");
        if events.send_timeout(event, live.slow_reader).await.is_err() {
            if !events.is_closed() {
                api.executor.metrics().slow_reader();
            }
            return;
        }
        if last {
            return;
        }
        event = tokio::select! {
            () = events.closed() => return,
            () = draining.begun() => {
                // No `complete`: the client comes back and goes on where it was.
                let goodbye = Bytes::from_static(b": the server ends, come back\nretry: 1000\n\n");
                let _ = events.try_send(goodbye);
                return;
            }
            answer = answers.next() => match answer {
                Some(answer) => next(&answer),
                None => Bytes::from_static(b"event: complete\ndata:\n\n"),
            },
            () = tokio::time::sleep(live.ping_every) => Bytes::from_static(b":\n\n"),
        };
    }
}

/// JSON written by serde_json has no line breaks, so one `data:` line holds an answer.
fn next(answer: &Answer) -> Bytes {
    let mut event = b"event: next\n".to_vec();
    if let Some(position) = media::position_of(answer) {
        event.extend_from_slice(b"id: ");
        event.extend_from_slice(position.as_bytes());
        event.push(b'\n');
    }
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(&written(answer));
    event.extend_from_slice(b"\n\n");
    event.into()
}
