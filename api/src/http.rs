//! The sockets' side of the API: one router, and every check that comes before GraphQL.

mod answer;
mod decode;
mod gate;
mod graphql;
mod media;
mod sse;
mod ws;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::Executor;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

pub use answer::written;
pub use gate::{Hosts, Origins};
pub use media::StatusRules;

use crate::auth::{Caller, Denied, Tokens};
use crate::documents::Trusted;
use crate::executor::Guarded;
use crate::health::{self, Readiness};
use crate::ingest::{self, Counts, Intake};
use crate::metrics::{Figures, Page};
use crate::serve::Drain;

/// How the API meets the network. Plain values, read once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApiConfig {
    /// The names the server may be asked under, beside the loopback ones (`*` for any).
    pub hosts: Vec<String>,
    /// The origins of pages that may call across sites, exactly (`https://desk.example.org`).
    /// They get CORS headers; loopback pages are let in without.
    pub origins: Vec<String>,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// How long a request's body may take to arrive.
    pub body_deadline: Duration,
    /// The documents that are known beforehand, and whether others are run.
    pub trusted: Trusted,
    /// Which reading of GraphQL over HTTP the statuses follow.
    pub statuses: StatusRules,
    /// How subscriptions are served.
    pub live: LiveConfig,
    /// Bytes of a body of events.
    pub ingest_bytes: usize,
    /// Bodies of events worked on at once; more are answered 429.
    pub ingest_at_once: usize,
}

/// How subscriptions are served.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LiveConfig {
    /// How long a WebSocket may take to send `connection_init`.
    pub init_deadline: Duration,
    /// Time between signs of life.
    pub ping_every: Duration,
    /// How long a reader may leave a full buffer unread before it is sent away.
    pub slow_reader: Duration,
    /// Operations open at once on one WebSocket.
    pub operations: usize,
    /// WebSockets and event streams open at once.
    pub connections: usize,
    /// Answers buffered for one connection.
    pub buffer: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            origins: Vec::new(),
            body_bytes: 256 << 10,
            body_deadline: Duration::from_secs(30),
            trusted: Trusted::default(),
            statuses: StatusRules::default(),
            live: LiveConfig::default(),
            ingest_bytes: 8 << 20,
            ingest_at_once: 16,
        }
    }
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            init_deadline: Duration::from_secs(5),
            ping_every: Duration::from_secs(15),
            slow_reader: Duration::from_secs(20),
            operations: 100,
            connections: 4_096,
            buffer: 64,
        }
    }
}

/// Everything the router needs: set up once, then [`Api::router`].
pub struct Api<S> {
    executor: Guarded<S>,
    config: ApiConfig,
    tokens: Option<Tokens>,
    readiness: Arc<dyn Readiness>,
    figures: Vec<Arc<dyn Figures>>,
    intake: Option<Arc<dyn Intake>>,
    drain: Drain,
    live: Arc<tokio::sync::Semaphore>,
    ingesting: Arc<tokio::sync::Semaphore>,
}

impl<S: Executor> Api<S> {
    /// An API over an executor; it ends its streams when `drain` begins.
    pub fn new(
        executor: Guarded<S>,
        config: ApiConfig,
        readiness: Arc<dyn Readiness>,
        drain: Drain,
    ) -> Self {
        let live = Arc::new(tokio::sync::Semaphore::new(config.live.connections));
        let ingesting = Arc::new(tokio::sync::Semaphore::new(config.ingest_at_once));
        let figures: Vec<Arc<dyn Figures>> = vec![Arc::new(executor.metrics().clone())];
        let (tokens, intake) = (None, None);
        Self { executor, config, tokens, readiness, figures, intake, drain, live, ingesting }
    }

    /// Asks everyone for a token, but for `/health`.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Option<Tokens>) -> Self {
        self.tokens = tokens;
        self
    }

    /// Shows these figures on `/metrics` too.
    #[must_use]
    pub fn with_figures(mut self, figures: Arc<dyn Figures>) -> Self {
        self.figures.push(figures);
        self
    }

    /// Takes CloudEvents at `POST /events`.
    #[must_use]
    pub fn with_intake(mut self, intake: Arc<dyn Intake>) -> Self {
        self.intake = Some(intake);
        self
    }

    /// The router: `/graphql`, `/events`, `/health/live`, `/health/ready`, `/metrics`, and the
    /// `further` routes, all behind the same gate (host, origin, request id, span).
    pub fn router(self, further: Router) -> Router {
        let gate = gate::Gate::new(&self.config);
        let takes_events = self.intake.is_some();
        let api = Arc::new(self);
        let mut router = Router::new()
            .route("/graphql", any(graphql::handle::<S>))
            .route("/health/live", get(|| async { "alive\n" }))
            .route("/health/ready", get(ready::<S>))
            .route("/metrics", get(metrics::<S>))
            .fallback(|| async { (StatusCode::NOT_FOUND, NOTHING) });
        if takes_events {
            router = router.route("/events", any(events::<S>));
        }
        let router = router.with_state(api).merge(further);
        gate.stand_before(router.layer(axum::middleware::from_fn(traced)))
    }

    /// Who sends this, or why they are not let in.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Denied> {
        match &self.tokens {
            Some(tokens) => tokens.of_headers(headers),
            None => Ok(Caller::LOCAL),
        }
    }
}

/// What an address without anything is told.
const NOTHING: &str =
    "there is nothing here: ask at /graphql, /events, /health/live, /health/ready or /metrics\n";

/// Answers within the trace that a request names, so that what it appends names it too.
async fn traced(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let trace = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    match trace.and_then(cx_ledger::trace::Trace::parse) {
        Some(trace) => trace.scope(next.run(request)).await,
        None => next.run(request).await,
    }
}

async fn ready<S: Executor>(State(api): State<Arc<Api<S>>>) -> Response {
    let (status, body) = health::ready(api.readiness.as_ref(), api.drain.begun()).await;
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metrics<S: Executor>(State(api): State<Arc<Api<S>>>, headers: HeaderMap) -> Response {
    if let Err(denied) = api.caller(&headers) {
        return (denied.code().status(), denied.to_string()).into_response();
    }
    // Whoever shows figures of what readiness looks at shows them as they are now.
    api.readiness.checks().await;
    let mut page = Page::default();
    for figures in &api.figures {
        figures.write(&mut page);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (StatusCode::OK, kind, page.into_text()).into_response()
}

async fn events<S: Executor>(
    State(api): State<Arc<Api<S>>>,
    request: axum::extract::Request,
) -> Response {
    let Some(intake) = &api.intake else { return StatusCode::NOT_FOUND.into_response() };
    let allowed = api.caller(request.headers()).and_then(|caller| caller.must_write());
    if let Err(denied) = allowed {
        return ingest::refuse(denied.code(), &denied.to_string());
    }
    let Ok(_turn) = api.ingesting.try_acquire() else {
        return ingest::busy();
    };
    let config = &api.config;
    let answer =
        ingest::handle(request, intake.as_ref(), config.ingest_bytes, config.body_deadline).await;
    if let Some(counts) = &answer.counts {
        let Counts { taken, repeated, conflict, quarantined, refused } = *counts;
        api.executor.metrics().ingested([taken, repeated, conflict, quarantined, refused]);
    }
    answer.response
}
