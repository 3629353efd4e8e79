//! GraphQL over WebSocket, the `graphql-transport-ws` protocol.
//!
//! One task reads, one writes, one runs each operation. An operation waits while its answers are
//! not read, so its stream is not pulled and nothing behind it slows down; a reader that leaves
//! the buffer full too long is sent away and resumes after the last position it has seen.

mod protocol;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::Executor;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use self::protocol::{Close, FromClient, ToClient};
use super::graphql::Meta;
use super::{Api, decode};
use crate::auth::{Caller, bearer};
use crate::errors::Code;
use crate::executor::{RequestId, is_request_error};
use crate::serve::Draining;

const PROTOCOL: &str = "graphql-transport-ws";

/// Upgrades a request; a `caller` of `None` must bring a token in `connection_init`.
pub(super) fn accept<S: Executor>(
    upgrade: WebSocketUpgrade,
    api: Arc<Api<S>>,
    meta: Meta,
    caller: Option<Caller>,
) -> Response {
    let Ok(place) = Arc::clone(&api.live).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many streams are open\n").into_response();
    };
    let limit = api.config.body_bytes;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(limit).max_frame_size(limit);
    upgrade.on_upgrade(move |socket| async move {
        run(socket, api, meta, caller).await;
        drop(place);
    })
}

/// What the tasks of one connection share.
struct Connection<S> {
    api: Arc<Api<S>>,
    meta: Meta,
    out: mpsc::Sender<Message>,
    /// The operations that are open, by the client's id.
    open: Mutex<HashMap<String, AbortHandle>>,
}

impl<S> Connection<S> {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run<S: Executor>(socket: WebSocket, api: Arc<Api<S>>, meta: Meta, caller: Option<Caller>) {
    let _open = api.executor.metrics().socket();
    let mut draining = api.drain.watch();
    let spoken = socket.protocol().is_some_and(|protocol| protocol == PROTOCOL);
    let (sink, mut messages) = socket.split();
    let (out, queue) = mpsc::channel(api.config.live.buffer);
    let (gone, mut written) = tokio::sync::oneshot::channel();
    let slow_reader = api.config.live.slow_reader;
    let metrics = api.executor.metrics().clone();
    let writer = tokio::spawn(async move {
        if write(sink, queue, slow_reader).await == Written::TooSlow {
            metrics.slow_reader();
        }
        let _ = gone.send(());
    });
    let connection =
        Arc::new(Connection { api, meta, out: out.clone(), open: Mutex::new(HashMap::new()) });
    let close = if spoken {
        tokio::select! {
            close = converse(&connection, &mut messages, &mut draining, caller) => close,
            _ = &mut written => None,
        }
    } else {
        Some(Close::Protocol)
    };
    for (_, operation) in connection.open().drain() {
        operation.abort();
    }
    if let Some(close) = close {
        let (code, reason) = close.frame();
        let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let _ = tokio::time::timeout(slow_reader, out.send(frame)).await;
    }
    // The last frames: the other side's answer to our close, or ours to theirs, which goes out
    // while we read.
    let rest = async { while let Some(Ok(_)) = messages.next().await {} };
    let _ = tokio::time::timeout(Duration::from_secs(2), rest).await;
    drop((out, connection));
    writer.abort();
}

/// Reads until the connection ends; `Some` if we are the ones who end it.
async fn converse<S: Executor>(
    connection: &Arc<Connection<S>>,
    messages: &mut SplitStream<WebSocket>,
    draining: &mut Draining,
    mut caller: Option<Caller>,
) -> Option<Close> {
    let live = &connection.api.config.live;
    let mut acknowledged = false;
    let init = tokio::time::sleep(live.init_deadline);
    tokio::pin!(init);
    let mut ping = tokio::time::interval(live.ping_every);
    ping.reset();
    let mut silent = 0;
    loop {
        let message = tokio::select! {
            () = draining.begun() => return Some(Close::GoingAway),
            () = &mut init, if !acknowledged => return Some(Close::InitTimeout),
            _ = ping.tick() => {
                silent += 1;
                if silent > 3 {
                    return Some(Close::Silent);
                }
                // A full buffer is the writer's business.
                let _ = connection.out.try_send(Message::Ping(axum::body::Bytes::new()));
                continue;
            }
            message = messages.next() => message,
        };
        silent = 0;
        let text = match message? {
            Ok(Message::Text(text)) => text,
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Binary(_)) => return Some(Close::Invalid("messages are text")),
            Ok(Message::Close(_)) | Err(_) => return None,
        };
        let api = &connection.api;
        let reply = match protocol::read(text.as_str(), api.executor.limits(), &api.config.trusted)
        {
            Err(reason) => return Some(Close::Invalid(reason)),
            Ok(FromClient::Pong) => continue,
            Ok(FromClient::Ping) => ToClient::Pong,
            Ok(FromClient::Init { .. }) if acknowledged => return Some(Close::InitTwice),
            Ok(FromClient::Init { authorization }) => {
                caller = caller.or_else(|| {
                    let token = authorization.as_deref().and_then(bearer)?;
                    connection.api.tokens.as_ref()?.caller(token).ok()
                });
                if caller.is_none() {
                    return Some(Close::Forbidden);
                }
                acknowledged = true;
                ToClient::Ack
            }
            Ok(FromClient::Complete { id }) => {
                if let Some(operation) = connection.open().remove(&id) {
                    operation.abort();
                }
                continue;
            }
            Ok(FromClient::Subscribe { id, request }) => {
                let Some(caller) = caller.clone().filter(|_| acknowledged) else {
                    return Some(Close::Unauthorized);
                };
                match subscribe(connection, &id, *request, caller) {
                    Subscribed::Running => {}
                    Subscribed::Closed(close) => return Some(close),
                    // Not a task for each: who sends on without reading waits here.
                    Subscribed::Refused(refusal) => {
                        let refusal = ToClient::Error(&id, &refusal.errors).into_message();
                        let _ = connection.out.send(refusal).await;
                    }
                }
                continue;
            }
        };
        // Waits while the client does not read what it asked for; so do its further messages.
        let _ = connection.out.send(reply.into_message()).await;
    }
}

/// What became of a wish to subscribe.
enum Subscribed {
    Running,
    /// It gets no task: there are as many as one connection may have.
    Refused(Box<async_graphql::Response>),
    Closed(Close),
}

fn subscribe<S: Executor>(
    connection: &Arc<Connection<S>>,
    id: &str,
    request: Result<async_graphql::Request, decode::DecodeError>,
    caller: Caller,
) -> Subscribed {
    // The map is held until the operation is in it: it may end before `spawn` returns.
    let mut open = connection.open();
    if open.contains_key(id) {
        return Subscribed::Closed(Close::Duplicate(id.to_owned()));
    }
    if open.len() >= connection.api.config.live.operations {
        let message = "too many operations are open on this connection: complete some";
        let error = Code::TooCostly.server_error(message, None);
        let refusal = connection.api.executor.refuse(error, RequestId::fresh());
        return Subscribed::Refused(Box::new(refusal));
    }
    let (shared, key) = (Arc::clone(connection), id.to_owned());
    let task = tokio::spawn(async move {
        operate(&shared, &key, request, caller).await;
    });
    open.insert(id.to_owned(), task.abort_handle());
    Subscribed::Running
}

/// Runs one operation from its message to its end.
async fn operate<S: Executor>(
    connection: &Connection<S>,
    id: &str,
    request: Result<async_graphql::Request, decode::DecodeError>,
    caller: Caller,
) {
    let _open = connection.api.executor.metrics().stream();
    let executor = &connection.api.executor;
    let meta = Meta { id: RequestId::fresh(), ..connection.meta.clone() };
    let checked = match request {
        Err(error) => Err(Box::new(error.code().server_error(error.to_string(), None))),
        Ok(request) => {
            let request = meta.equip(request, caller.clone());
            executor.prepare(&request).and_then(|prepared| {
                let mutation = prepared.operation.to_string() == "mutation";
                match caller.must_write() {
                    Err(denied) if mutation => {
                        Err(Box::new(denied.code().server_error(denied.to_string(), None)))
                    }
                    _ => Ok((prepared, request)),
                }
            })
        }
    };
    let (prepared, request) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let refusal = executor.refuse(*error, meta.id);
            return end(connection, ToClient::Error(id, &refusal.errors)).await;
        }
    };
    let mut answers = executor.run_stream(&prepared, request, None);
    while let Some(answer) = answers.next().await {
        if is_request_error(&answer) {
            return end(connection, ToClient::Error(id, &answer.errors)).await;
        }
        if connection.out.send(ToClient::Next(id, &answer).into_message()).await.is_err() {
            return;
        }
    }
    end(connection, ToClient::Complete(id)).await;
}

/// Forgets the operation before the client hears of its end, as it may use the id again at once, but
/// not before there is room to say so: what waits to be read is open still, and counts as such.
async fn end<S>(connection: &Connection<S>, last: ToClient<'_>) {
    let (ToClient::Error(id, _) | ToClient::Complete(id)) = last else { return };
    let Ok(room) = connection.out.reserve().await else { return };
    if connection.open().remove(id).is_some() {
        room.send(last.into_message());
    }
}

#[derive(PartialEq, Eq)]
enum Written {
    All,
    Broken,
    TooSlow,
}

async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<Message>,
    slow_reader: Duration,
) -> Written {
    while let Some(message) = queue.recv().await {
        let last = matches!(message, Message::Close(_));
        match tokio::time::timeout(slow_reader, sink.send(message)).await {
            Ok(Ok(())) if last => return Written::All,
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Written::Broken,
            Err(_) => {
                let (code, reason) = Close::TooSlow.frame();
                let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
                let _ = tokio::time::timeout(Duration::from_secs(1), sink.send(frame)).await;
                return Written::TooSlow;
            }
        }
    }
    Written::All
}
