//! Listening, and ending well: what was begun is answered, subscribers are told goodbye.

pub(crate) mod connection;
pub(crate) mod resting;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use connection::{Connection, accepted};
use resting::{Counted, Requests, Rest, converse};

use crate::auth::Tokens;

/// The server cannot listen or serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Without tokens only loopback addresses are listened on.
    #[error(
        "{address} can be reached from other machines and no tokens are asked for: give a token file, or listen on 127.0.0.1"
    )]
    Unprotected {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}: is another server running there?")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The listener broke.
    #[error("the listener failed")]
    Io(#[from] std::io::Error),
}

/// Tells everything that is open that the server is about to end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Drain(Arc<watch::Sender<bool>>);

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Drain {
    /// Begins to drain. Streams say goodbye, readiness turns false.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether draining has begun.
    pub fn begun(&self) -> bool {
        *self.0.borrow()
    }

    /// For something that stays open: wait on it for the drain, drop it when closed.
    pub(crate) fn watch(&self) -> Draining {
        Draining(self.0.subscribe())
    }

    /// Until nothing that stays open is open any more.
    pub(crate) async fn all_closed(&self) {
        self.0.closed().await;
    }
}

/// Held by a socket or stream while it is open.
#[derive(Debug)]
pub(crate) struct Draining(watch::Receiver<bool>);

impl Draining {
    /// Until draining begins.
    pub(crate) async fn begun(&mut self) {
        // An error means that the server is gone, which is a reason to end as well.
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}

/// Listens, but beyond loopback only with tokens.
pub async fn bind(address: SocketAddr, tokens: Option<&Tokens>) -> Result<TcpListener, ServeError> {
    if tokens.is_none() && !address.ip().is_loopback() {
        return Err(ServeError::Unprotected { address });
    }
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
}

/// How long open requests and streams have to end once the signal came.
const GRACE: Duration = Duration::from_secs(10);

/// How much the server bears of those who connect.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long the first bytes of a connection, and the head of each request, may take to arrive.
    /// Who opens connections and sends next to nothing would hold them for ever.
    pub head: Duration,
    /// How many connections are open at once. Those beyond wait to be accepted.
    pub connections: usize,
    /// How long an HTTP/2 connection may have no request open before it is ended. Its first has as
    /// long as a head has.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(15), connections: 4096, idle: Duration::from_mins(1) }
    }
}

/// How long to wait where the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Serves until `shutdown` resolves, then answers what was begun, closes streams and returns.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    drain: Drain,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    serve_patiently(listener, router, drain, shutdown, Patience::default()).await
}

/// Serves with this much patience.
pub async fn serve_patiently(
    listener: TcpListener,
    router: Router,
    drain: Drain,
    shutdown: impl Future<Output = ()> + Send + 'static,
    patience: Patience,
) -> Result<(), ServeError> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.head);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(patience.head);
    let open = Drain::default();
    let places = Arc::new(Semaphore::new(patience.connections));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.expect("the places are never closed");
            listener.accept().await.map(|(stream, _)| (stream, place))
        };
        let met = tokio::select! {
            met = next => met,
            () = &mut shutdown => break,
        };
        let (stream, place) = match met {
            Ok(met) => met,
            Err(error) => {
                // One connection that broke, or no room for it: the others are served.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(NO_ROOM).await;
                continue;
            }
        };
        accepted(&stream);
        let requests = Requests::default();
        let service = answering(router.clone(), requests.clone());
        let stream = TokioIo::new(Connection::new(stream, place, patience.head));
        let connection = builder.serve_connection_with_upgrades(stream, service).into_owned();
        let rest = Rest { first: patience.head, later: patience.idle, grace: GRACE };
        let ending = open.watch();
        tokio::spawn(async move {
            let end = |open: Pin<&mut auto::UpgradeableConnection<'_, _, _, _>>| {
                open.graceful_shutdown();
            };
            // A client that goes away or never finishes its request is no fault of ours.
            if let Err(error) = converse(connection, end, requests, rest, ending).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    drain.begin();
    open.begin();
    if tokio::time::timeout(GRACE, open.all_closed()).await.is_err() {
        tracing::warn!("requests were still open when the server ended");
    } else if tokio::time::timeout(GRACE, drain.all_closed()).await.is_err() {
        // Upgraded connections are not the listener's any more.
        tracing::warn!("streams were still open when the server ended");
    }
    Ok(())
}

/// Something that answers every request, such as a router.
pub trait Answering:
    tower::Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Answering for S where
    S: tower::Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// A service whose answers are counted among the requests of a connection until they are sent.
pub(crate) fn answering(
    service: impl Answering,
    requests: Requests,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = hyper::Response<Body>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ 'static {
    hyper_util::service::TowerToHyperService::new(tower::service_fn(
        move |request: hyper::Request<Incoming>| {
            let open = requests.begin();
            let answer = service.clone().oneshot(request.map(Body::new));
            async move {
                let body = |body| Body::new(Counted::new(body, open));
                answer.await.map(|answer| answer.map(body))
            }
        },
    ))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// A server that bears this much, and what ends it.
    async fn serving(patience: Patience) -> (SocketAddr, impl AsyncFnOnce()) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let shutdown = async move { _ = ended.await };
        let serving =
            tokio::spawn(serve_patiently(listener, router, Drain::default(), shutdown, patience));
        let stop = async move || {
            end.send(()).unwrap();
            serving.await.unwrap().unwrap();
        };
        (address, stop)
    }

    async fn answers(address: SocketAddr) {
        let mut quick = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        quick.write_all(request).await.unwrap();
        let mut said = Vec::new();
        quick.read_to_end(&mut said).await.unwrap();
        assert!(said.ends_with(b"here"));
    }

    #[tokio::test]
    async fn a_connection_that_never_gets_to_a_request_is_let_go() {
        let patience = Patience { head: Duration::from_millis(50), ..Patience::default() };
        let (address, stop) = serving(patience).await;
        let head: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ";
        for begin in [&b""[..], b"G", b"PRI", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", head] {
            let mut slow = TcpStream::connect(address).await.unwrap();
            slow.write_all(begin).await.unwrap();
            let mut said = Vec::new();
            // The server ends the connection; without the deadline this would wait for ever.
            slow.read_to_end(&mut said).await.unwrap();
            assert!(!said.windows(4).any(|window| window == b"here"));
        }
        answers(address).await;
        stop().await;
    }

    #[tokio::test]
    async fn a_connection_beyond_the_cap_waits_until_another_ends() {
        let patience = Patience { connections: 1, ..Patience::default() };
        let (address, stop) = serving(patience).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"here") {
            assert_ne!(first.read_buf(&mut said).await.unwrap(), 0);
        }
        let second = tokio::spawn(answers(address));
        // The first keeps its place and is served on, the second is not.
        first.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        said.clear();
        while !said.ends_with(b"here") {
            assert_ne!(first.read_buf(&mut said).await.unwrap(), 0);
        }
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap();
        stop().await;
    }

    #[tokio::test]
    async fn an_http_2_connection_that_asks_for_nothing_is_ended_and_one_that_asks_is_not() {
        let short = Duration::from_millis(50);
        // The short ones end it, the long one would be noticed.
        for (head, idle, asks) in
            [(short, Duration::from_hours(1), false), (Duration::from_hours(1), short, true)]
        {
            let patience = Patience { head, idle, ..Patience::default() };
            let (address, stop) = serving(patience).await;
            let socket = TcpStream::connect(address).await.unwrap();
            let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Body>(
                TokioExecutor::new(),
                TokioIo::new(socket),
            )
            .await
            .unwrap();
            let connection = tokio::spawn(connection);
            if asks {
                let request = hyper::Request::get("http://localhost/").body(Body::empty());
                let answer = sender.send_request(request.unwrap()).await.unwrap();
                assert_eq!(answer.status(), 200);
            }
            // The server ends it with a goodbye: a client that keeps `sender` would wait for ever.
            let ended = tokio::time::timeout(Duration::from_secs(30), connection).await;
            ended.expect("it is ended long before the long one").unwrap().unwrap();
            assert!(sender.is_closed());
            stop().await;
        }
    }

    #[tokio::test]
    async fn a_request_that_is_open_keeps_its_connection() {
        let requests = Requests::default();
        let open = requests.begin();
        let short = Duration::from_millis(1);
        let rest = Rest { first: short, later: short, grace: short };
        let (answer, is_answered) = tokio::sync::oneshot::channel::<()>();
        let connection = async move {
            is_answered.await.unwrap();
            drop(open);
            std::future::pending::<Result<(), Infallible>>().await
        };
        let drain = Drain::default();
        let mut ended = Box::pin(converse(connection, |_| {}, requests, rest, drain.watch()));
        assert!(tokio::time::timeout(20 * short, &mut ended).await.is_err());
        answer.send(()).unwrap();
        ended.await.unwrap();
    }
}
