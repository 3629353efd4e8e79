//! Listening for clients of the event store, in the clear or over TLS, and ending well.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::Endpoint;
use crate::serve::Draining;

/// How many clients may be connected.
const CONNECTIONS: usize = 1024;
/// How long a client may take to begin TLS, and then to say its first words.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often a client that says nothing is asked whether it is there.
const PING: Duration = Duration::from_secs(10);
/// How long open calls have to end once the server does.
const GRACE: Duration = Duration::from_secs(5);

/// TLS cannot be had with these files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} is not a readable PEM file: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The certificate and the key do not serve.
    #[error("the certificate and its key cannot be used")]
    Unfit(#[from] rustls::Error),
}

/// The certificate with which the endpoint shows who it is.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Reads a chain of certificates and the key of the first, both in PEM.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let unreadable = |path: &Path, error: rustls::pki_types::pem::Error| TlsError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let chain = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(certificates, error))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// Chooses the cryptography of every TLS connection that does not choose its own. Two are linked
/// in, and without a choice the plain builders panic; a choice that was made before is kept.
pub fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

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
        let permit = Arc::clone(&room).acquire_owned().await;
        (permit.expect("the room is never closed"), listener.accept().await)
    };
    loop {
        let (permit, accepted) = tokio::select! {
            biased;
            () = draining.begun() => break,
            next = next() => next,
        };
        let Ok((socket, _)) = accepted else {
            // No file handles, most likely: others will be free soon.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (router, acceptor, ending) = (router.clone(), acceptor.clone(), drain.watch());
        tokio::spawn(async move {
            meet(socket, acceptor, router, ending).await;
            drop(permit);
        });
    }
    drop((draining, listener, endpoint));
    if tokio::time::timeout(GRACE, drain.all_closed()).await.is_err() {
        tracing::warn!("clients of the event store were still connected when it ended");
    }
}

async fn meet(
    socket: TcpStream,
    acceptor: Option<TlsAcceptor>,
    router: axum::Router,
    ending: Draining,
) {
    // Small answers go out at once; where that cannot be had they go out a little later.
    let _ = socket.set_nodelay(true);
    let socket = Prompt(socket);
    match acceptor {
        None => converse(Opening::new(socket), router, ending).await,
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => converse(Opening::new(stream), router, ending).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client did not agree on TLS"),
            Err(_) => tracing::debug!("a client did not begin TLS in time"),
        },
    }
}

/// A socket that acknowledges at once. A client that sends a call in two small pieces and leaves
/// Nagle's algorithm on, as the Rust client does, holds the second back until the first is
/// acknowledged: 40 ms a call, if that is put off.
struct Prompt(TcpStream);

impl Prompt {
    #[cfg(target_os = "linux")]
    fn acknowledge(&self) {
        // The kernel forgets it now and then; without it answers are late and nothing else.
        let _ = self.0.set_quickack(true);
    }

    #[cfg(not(target_os = "linux"))]
    fn acknowledge(&self) {}
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        if read.is_ready() {
            self.acknowledge();
        }
        read
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A connection that has to begin in time: what does not say within that time how it wants to
/// talk, which takes an HTTP/2 client its first 24 bytes, is closed.
struct Opening<S> {
    stream: S,
    said: usize,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// How many bytes a client says before it is known to talk HTTP/2.
const PREFACE: usize = 24;

impl<S> Opening<S> {
    fn new(stream: S) -> Self {
        Self { stream, said: 0, deadline: Some(Box::pin(tokio::time::sleep(HANDSHAKE))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.deadline.is_some() {
            self.said += buffer.filled().len() - before;
            if self.said >= PREFACE {
                self.deadline = None;
            }
        }
        let late = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(context).is_ready();
        if read.is_pending() && self.deadline.as_mut().is_some_and(late) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
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
