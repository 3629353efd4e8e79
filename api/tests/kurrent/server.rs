//! An event store over a ledger, on a runtime of its own, so that it can die at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::serve::ListenerExt;
use cx_api::auth::Tokens;
use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::listen;
use cx_api::serve::Drain;
use cx_ledger::{KurrentLedger, KurrentSettings, Ledger};
use futures::stream::{self, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::HeaderMap;
use hyper::body::Frame;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::cluster::{self, Cluster};

pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An event store, until it is dropped: then it is gone with all its connections.
pub struct Server {
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// On a free port.
    pub fn start(ledger: Arc<dyn Ledger>) -> Self {
        Self::start_at(ledger, ANY_PORT)
    }

    /// On this port, which may have been another's a moment ago.
    pub fn start_at(ledger: Arc<dyn Ledger>, address: SocketAddr) -> Self {
        let (runtime, listener, address) = Self::bind(address);
        runtime.spawn(listen(Endpoint::free(ledger, None, Drain::default()), listener, None));
        Self { address, runtime: Some(runtime) }
    }

    fn bind(address: SocketAddr) -> (Runtime, TcpListener, SocketAddr) {
        cx_api::esdb::listen::choose_cryptography();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let socket = if address.port() == 0 {
            std::net::TcpListener::bind(address).unwrap()
        } else {
            again(address)
        };
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let inside = runtime.enter();
        let listener = TcpListener::from_std(socket).unwrap();
        drop(inside);
        (runtime, listener, address)
    }

    /// On this port, with something before what it does as an event store.
    fn start_behind(
        ledger: Arc<dyn Ledger>,
        address: SocketAddr,
        before: impl FnOnce(Router) -> Router,
    ) -> Self {
        let (runtime, listener, address) = Self::bind(address);
        let endpoint = Endpoint::free(ledger, None, Drain::default());
        let router = before(axum::Router::new().fallback_service(endpoint.service(address)));
        let listener = listener.tap_io(|socket| socket.set_nodelay(true).unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, runtime: Some(runtime) }
    }

    /// Ending its subscriptions well whenever it is told to.
    pub fn start_ending(ledger: Arc<dyn Ledger>, ends: watch::Receiver<u64>) -> Self {
        let ending = from_fn_with_state((ends, Then::End), ending);
        Self::start_behind(ledger, ANY_PORT, |router| router.layer(ending))
    }

    /// Whose subscriptions fall silent whenever it is told to.
    pub fn start_silencing(ledger: Arc<dyn Ledger>, falls: watch::Receiver<u64>) -> Self {
        let falling = from_fn_with_state((falls, Then::Fall), ending);
        Self::start_behind(ledger, ANY_PORT, |router| router.layer(falling))
    }

    /// One of several over the same events, of which one leads.
    pub fn start_in(ledger: Arc<dyn Ledger>, cluster: &Arc<Cluster>, place: usize) -> Self {
        let ends = watch::Sender::new(0).subscribe();
        Self::start_in_ending(ledger, ANY_PORT, (cluster, place), ends)
    }

    /// The same on this port, ending its subscriptions well whenever it is told to.
    pub fn start_in_ending(
        ledger: Arc<dyn Ledger>,
        address: SocketAddr,
        (cluster, place): (&Arc<Cluster>, usize),
        ends: watch::Receiver<u64>,
    ) -> Self {
        let state = (Arc::clone(cluster), place);
        Self::start_behind(ledger, address, |router| {
            let ends = from_fn_with_state((ends, Then::End), ending);
            router.layer(ends).layer(from_fn_with_state(state, cluster::member))
        })
    }

    /// One that refuses to read from positions beyond its last, as an event store does.
    pub fn start_refusing(ledger: Arc<dyn Ledger>, last: u64) -> Self {
        let refuses = from_fn_with_state(last, refusing);
        Self::start_behind(ledger, ANY_PORT, |router| router.layer(refuses))
    }

    /// A ledger on it.
    pub async fn ledger(&self) -> KurrentLedger {
        ledger_at(&[self.address]).await
    }
}

/// What becomes of subscriptions when somebody says so.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// They end with OK.
    End,
    /// They say nothing more, and stay.
    Fall,
}

/// Passes answers on; where one is a subscription's, it comes to this when it is told to.
async fn ending(
    State((ends, then)): State<(watch::Receiver<u64>, Then)>,
    ask: Request,
    next: Next,
) -> Response {
    let (parts, body) = next.run(ask).await.into_parts();
    let state = (Some(body), ends, false);
    let frames = stream::unfold(state, move |(body, mut ends, subscription)| async move {
        let mut body = body?;
        let frame = if subscription {
            ends.mark_unchanged();
            tokio::select! {
                frame = body.frame() => frame,
                Ok(()) = ends.changed() => {
                    if matches!(then, Then::Fall) {
                        futures::future::pending::<()>().await;
                    }
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().unwrap());
                    return Some((Ok(Frame::trailers(trailers)), (None, ends, true)));
                }
            }
        } else {
            body.frame().await
        };
        // A subscription begins with its confirmation, which is the second field.
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        let subscription = subscription || data.is_some_and(|data| data.get(5) == Some(&0x12));
        Some((frame?, (Some(body), ends, subscription)))
    });
    Response::from_parts(parts, Body::new(StreamBody::new(frames.boxed())))
}

/// Refuses reads of all events from a position beyond the last.
async fn refusing(State(last): State<u64>, ask: Request, next: Next) -> Response {
    if !ask.uri().path().ends_with(".Streams/Read") {
        return next.run(ask).await;
    }
    let (parts, mut body) = ask.into_parts();
    let mut message = Vec::new();
    // A call's only message; the stream of a subscription's calls stays open after it.
    while let Some(Ok(frame)) = body.frame().await {
        message.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        let whole = message.get(1..5).map(|length| u32::from_be_bytes(length.try_into().unwrap()));
        if whole.is_some_and(|length| message.len() >= 5 + length as usize) {
            break;
        }
    }
    if commit_of(&message).is_some_and(|commit| commit > last) {
        return Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "3")
            .header("grpc-message", "Trying to read from an invalid position.")
            .body(Body::empty())
            .unwrap();
    }
    next.run(Request::from_parts(parts, Body::from(message))).await
}

/// Where a read of all events begins, if that is a position: the first field of the first field of
/// the first field of the request.
fn commit_of(message: &[u8]) -> Option<u64> {
    let mut rest = message.get(5..)?;
    let varint = |rest: &mut &[u8]| prost::encoding::decode_varint(rest).ok();
    for field in [0x0a, 0x12, 0x0a] {
        (varint(&mut rest)? == field).then_some(())?;
        varint(&mut rest)?;
    }
    (varint(&mut rest)? == 0x08).then_some(())?;
    varint(&mut rest)
}

/// Binds where the last server may not be quite gone.
fn again(address: SocketAddr) -> std::net::TcpListener {
    let until = std::time::Instant::now() + Duration::from_secs(5);
    loop {
        match std::net::TcpListener::bind(address) {
            Ok(socket) => return socket,
            Err(error) => assert!(std::time::Instant::now() < until, "{error}"),
        }
        std::thread::yield_now();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A ledger on the event store at these addresses.
pub async fn ledger_at(seeds: &[SocketAddr]) -> KurrentLedger {
    let seeds: Vec<_> = seeds.iter().map(ToString::to_string).collect();
    let address = format!("esdb://{}?tls=false", seeds.join(","));
    let settings = KurrentSettings::parse(&address).unwrap();
    KurrentLedger::connect(settings).await.unwrap()
}

/// One user, who may do everything.
pub fn tokens(user: &str, password: &str) -> Tokens {
    let digits =
        |byte: &u8| [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    let digest: Vec<u8> = Sha256::digest(password).iter().flat_map(digits).collect();
    let digest = String::from_utf8(digest).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("operator {digest} {user}\n")).unwrap();
    Tokens::read(file.path()).unwrap()
}
