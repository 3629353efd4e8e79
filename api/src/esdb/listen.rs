//! Listening for clients of the event store, in the clear or over TLS, and ending well.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::Endpoint;
use super::prompt::Prompt;
pub use super::tls::{Tls, TlsError, choose_cryptography};
use crate::serve::Draining;
use crate::serve::connection::{Connection, accepted};

/// How many clients may be connected.
const CONNECTIONS: usize = 1024;
/// How long a client may take to begin TLS, and then to say its first words.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often a client that says nothing is asked whether it is there.
const PING: Duration = Duration::from_secs(10);
/// How long open calls have to end once the server does.
const GRACE: Duration = Duration::from_secs(5);

/// Serves the endpoint until its drain begins, then lets open calls end and returns when all is
/// closed, or a little later.
pub async fn listen(endpoint: Endpoint, listener: TcpListener, tls: Option<Tls>) {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
    let router = endpoint.router(address);
    let drain = endpoint.shared.drain.clone();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
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
        let (router, acceptor, ending) = (router.clone(), acceptor.clone(), drain.watch());
        tokio::spawn(meet(socket, place, acceptor, router, ending));
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
    router: axum::Router,
    ending: Draining,
) {
    accepted(&socket);
    let socket = Prompt(socket);
    match acceptor {
        None => converse(Connection::new(socket, place, HANDSHAKE), router, ending).await,
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => {
                converse(Connection::new(stream, place, HANDSHAKE), router, ending).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a client did not agree on TLS"),
            Err(_) => tracing::debug!("a client did not begin TLS in time"),
        },
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: axum::Router,
    mut ending: Draining,
) {
    let service = TowerToHyperService::new(
        router.map_request(|request: hyper::Request<Incoming>| request.map(axum::body::Body::new)),
    );
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Some(HANDSHAKE));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(PING))
        .keep_alive_timeout(PING)
        .max_concurrent_streams(1024)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    let mut talking = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = talking.as_mut() => ended,
        () = ending.begun() => {
            talking.as_mut().graceful_shutdown();
            // What takes longer is cut off.
            tokio::time::timeout(GRACE, talking).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection ended");
    }
}
