//! Listening, and ending well: what was begun is answered, subscribers are told goodbye.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

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

/// Serves until `shutdown` resolves, then answers what was begun, closes streams and returns.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    drain: Drain,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let signal = drain.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        shutdown.await;
        signal.begin();
    });
    let mut draining = drain.watch();
    let late = async {
        draining.begun().await;
        drop(draining);
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving.into_future() => {
            served?;
            // Upgraded connections are not the listener's any more.
            if tokio::time::timeout(GRACE, drain.all_closed()).await.is_err() {
                tracing::warn!("streams were still open when the server ended");
            }
        }
        () = late => tracing::warn!("requests were still open when the server ended"),
    }
    Ok(())
}
