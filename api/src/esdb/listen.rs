//! Listening for clients of the event store, in the clear or over TLS, and ending well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::{Builder, Connection as Connecting};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::Endpoint;
use super::prompt::Prompt;
pub use super::tls::{Tls, TlsError, choose_cryptography};
use crate::serve::connection::{Connection, accepted};
use crate::serve::resting::{Requests, Rest, converse};
use crate::serve::{Answering, Draining, Patience, answering};

/// How many clients may be connected, how long one may take to begin TLS, to say its first words
/// and to ask something, and how long it may stay without asking more.
const PATIENCE: Patience =
    Patience { head: Duration::from_secs(10), connections: 1024, idle: Duration::from_mins(1) };
/// How many calls a client may have open on one connection.
const CALLS: u32 = 100;
/// How often a client that says nothing is asked whether it is there.
const PING: Duration = Duration::from_secs(10);
/// How long open calls have to end once the server does.
const GRACE: Duration = Duration::from_secs(5);

/// Serves the endpoint until its drain begins, then lets open calls end and returns when all is
/// closed, or a little later.
pub async fn listen(endpoint: Endpoint, listener: TcpListener, tls: Option<Tls>) {
    listen_patiently(endpoint, listener, tls, PATIENCE).await;
}

/// Serves the endpoint with this much patience.
pub async fn listen_patiently(
    endpoint: Endpoint,
    listener: TcpListener,
    tls: Option<Tls>,
    patience: Patience,
) {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
    let service = endpoint.service(address);
    let drain = endpoint.shared.drain.clone();
    let room = Arc::new(Semaphore::new(patience.connections));
    let acceptor = tls.map(|Tls(config)| TlsAcceptor::from(config));
    let mut draining = drain.watch();
    let next = async || {
        let place = Arc::clone(&room).acquire_owned().await;
        (place.expect("the room is never closed"), listener.accept().await)
    };
    loop {
        let (place, met) = tokio::select! {
            biased;
            () = draining.begun() => break,
            next = next() => next,
        };
        let Ok((socket, _)) = met else {
            // No file handles, most likely: others will be free soon.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (service, acceptor, ending) = (service.clone(), acceptor.clone(), drain.watch());
        tokio::spawn(meet(socket, place, acceptor, (service, patience), ending));
    }
    drop((draining, listener, endpoint));
    if tokio::time::timeout(GRACE, drain.all_closed()).await.is_err() {
        tracing::warn!("clients of the event store were still connected when it ended");
    }
}

async fn meet(
    socket: TcpStream,
    place: OwnedSemaphorePermit,
    acceptor: Option<TlsAcceptor>,
    served: (impl Answering, Patience),
    ending: Draining,
) {
    accepted(&socket);
    let socket = Prompt(socket);
    let head = served.1.head;
    match acceptor {
        None => talk(Connection::new(socket, place, head), served, ending).await,
        Some(acceptor) => match tokio::time::timeout(head, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => talk(Connection::new(stream, place, head), served, ending).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client did not agree on TLS"),
            Err(_) => tracing::debug!("a client did not begin TLS in time"),
        },
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (service, patience): (impl Answering, Patience),
    ending: Draining,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Some(patience.head));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(PING))
        .keep_alive_timeout(PING)
        .max_concurrent_streams(CALLS)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    let requests = Requests::default();
    let service = answering(service, requests.clone());
    let talking = builder.serve_connection(TokioIo::new(stream), service);
    let rest = Rest { first: patience.head, later: patience.idle, grace: GRACE };
    let ended = converse(talking, Connecting::graceful_shutdown, requests, rest, ending);
    if let Err(error) = ended.await {
        tracing::debug!(%error, "a client's connection ended");
    }
}
