//! A server over an opened data directory: views, schema, sockets, and an orderly end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::{Tls, listen};
use cx_api::executor::{ExecutorConfig, Guarded};
use cx_api::http::Api;
use cx_api::intake::BookIntake;
use cx_api::metrics::ApiMetrics;
use cx_api::schema::{System, schema_with_pasts};
use cx_api::serve::{Drain, serve};
use cx_api::{page, ready};
use cx_projections::{Engine, Options, Pasts};
use tokio::net::TcpListener;

use crate::meeting::Listening;
use crate::open::Opened;
use crate::quarantine::aside::IngestAside;

/// A server that is about to serve.
pub struct Node {
    system: System,
    pasts: Arc<Pasts>,
    router: axum::Router,
    drain: Drain,
    listener: TcpListener,
    address: SocketAddr,
    server_file: std::path::PathBuf,
    event_store: Option<EventStore>,
    aside: Arc<IngestAside>,
}

/// The event-store endpoint, about to listen.
struct EventStore {
    endpoint: Endpoint,
    listener: TcpListener,
    tls: Option<Tls>,
    address: SocketAddr,
}

impl Node {
    /// Starts the views, to serve at addresses that were taken.
    pub async fn start(opened: &Opened, listening: Listening) -> anyhow::Result<Self> {
        let Listening { tokens, api, listener, event_store: store } = listening;
        let listener = listener.on_this_runtime()?;
        let address = listener.local_addr()?;
        let ledger = Arc::clone(opened.book.ledger());
        let engine = Engine::start(ledger, &opened.places.views(), Options::default()).await?;
        let system = System { book: opened.book.clone(), engine: Arc::new(engine) };
        let drain = Drain::default();
        let (readers, asked) = (system.clone(), system.clone());
        let pasts = Pasts::new(Arc::clone(opened.book.ledger()), &opened.places.past());
        let pasts = Arc::new(pasts);
        let schema = schema_with_pasts(system.clone(), Arc::clone(&pasts));
        let executor = Guarded::new(schema, ExecutorConfig::default(), ApiMetrics::default())
            .with_current_position(Arc::new(move || Some(ready::lowest_head(&readers))))
            .with_ledger_away(Arc::new(move || ready::ledger_is_away(&asked)));
        let readiness = Arc::new(ready::SystemReadiness::new(system.clone()));
        let vault = Arc::clone(system.book.vault());
        let aside = Arc::new(IngestAside::open(opened.places.data(), vault)?);
        let intake = BookIntake::new(system.book.clone()).with_aside(aside.clone());
        let event_store = match store {
            None => None,
            Some((listener, tls)) => {
                let listener = listener.on_this_runtime()?;
                let endpoint = Endpoint::guarded(&system.book, tokens.clone(), drain.clone());
                let address = listener.local_addr()?;
                Some(EventStore { endpoint, listener, tls, address })
            }
        };
        let router = Api::new(executor, api, readiness.clone(), drain.clone())
            .with_tokens(tokens)
            .with_figures(readiness)
            .with_intake(Arc::new(intake))
            .router(page::router());
        let server_file = opened.places.server();
        std::fs::write(&server_file, format!("http://{address}\n"))
            .with_context(|| format!("{} cannot be written", server_file.display()))?;
        Ok(Self {
            system,
            pasts,
            router,
            drain,
            listener,
            address,
            server_file,
            event_store,
            aside,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the event store is found by its clients, if there is one.
    pub fn event_store(&self) -> Option<String> {
        self.event_store
            .as_ref()
            .map(|store| format!("esdb://{}?tls={}", store.address, store.tls.is_some()))
    }

    /// The ledger and the views.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// Serves until the signal, answers what was begun, closes the views in order.
    pub async fn serve(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let event_store = self
            .event_store
            .map(|store| tokio::spawn(listen(store.endpoint, store.listener, store.tls)));
        let sweeping = tokio::spawn(self.aside.drop_erased_rows(self.system.book.clone()));
        let served = serve(self.listener, self.router, self.drain, shutdown).await;
        sweeping.abort();
        if let Some(event_store) = event_store {
            // It ends by itself, within seconds of the signal.
            event_store.await?;
        }
        self.system.engine.shutdown().await;
        self.pasts.shutdown().await;
        // The file only tells other commands whom to ask; a left-over one does no harm.
        let _ = std::fs::remove_file(&self.server_file);
        Ok(served?)
    }
}

/// Resolves when the process is asked to end: Ctrl-C or a termination signal.
pub async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
