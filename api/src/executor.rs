//! The one way a GraphQL request is run, whatever transport it came by.
//!
//! Guard, parse once, run with a deadline, and mend what the engine leaves to us: a request error
//! carries no `data`, an internal fault shows its id and nothing else, every answer says the
//! position it is true at. No async-graphql `Extension` is installed: one costs half the speed.

mod mending;

pub(crate) use self::mending::is_request_error;

use std::any::TypeId;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Data, Executor, Request, Response, ServerError, Value};
use cx_model::Position;
use futures::FutureExt;
use futures::stream::{self, BoxStream, StreamExt};
use tracing::Instrument;
use uuid::Uuid;

use crate::auth::{Caller, Role};
use crate::documents::{DocumentHash, Documents};
use crate::errors::{Code, UNAVAILABLE, code_of};
use crate::guard::{self, Limits, Refusal};
use crate::metrics::ApiMetrics;
use crate::positions::ReadPositions;
use crate::schema::paging::LARGEST_PAGE_FOR_AUDITORS;

/// The id of a request: in the answer's `x-request-id`, in its errors and in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub Uuid);

impl RequestId {
    /// An id nobody had before.
    pub fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

/// How the executor runs what it is given.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExecutorConfig {
    /// What one request may ask for.
    pub limits: Limits,
    /// The largest page for an auditor.
    pub auditor_page: u64,
    /// How long one query or mutation may run.
    pub deadline: Duration,
    /// Parsed documents to keep.
    pub documents: usize,
    /// Errors of one answer shown; the rest is left out.
    pub errors_shown: usize,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            auditor_page: LARGEST_PAGE_FOR_AUDITORS as u64,
            deadline: Duration::from_secs(10),
            documents: 1_000,
            errors_shown: 20,
        }
    }
}

/// What the executor knows about a request before it runs it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The hash of the document.
    pub hash: DocumentHash,
    /// Query, mutation or subscription.
    pub operation: OperationType,
    document: Arc<ExecutableDocument>,
}

/// Where the views stand when an answer has read nothing of them.
pub type CurrentPosition = Arc<dyn Fn() -> Option<Position> + Send + Sync>;

/// Whether the ledger does not answer at the moment.
pub type LedgerAway = Arc<dyn Fn() -> bool + Send + Sync>;

/// Runs requests against a schema, behind the guard. Cheap to clone.
pub struct Guarded<S> {
    schema: S,
    shared: Arc<Shared>,
}

struct Shared {
    config: ExecutorConfig,
    documents: Documents,
    metrics: ApiMetrics,
    current: Option<CurrentPosition>,
    away: Option<LedgerAway>,
}

impl<S: Clone> Clone for Guarded<S> {
    fn clone(&self) -> Self {
        Self { schema: self.schema.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: Executor> Guarded<S> {
    /// An executor over a schema. Build the schema with `disable_suggestions`, without limits of
    /// its own and without extensions.
    pub fn new(schema: S, config: ExecutorConfig, metrics: ApiMetrics) -> Self {
        let documents = Documents::new(config.documents);
        let shared = Shared { config, documents, metrics, current: None, away: None };
        Self { schema, shared: Arc::new(shared) }
    }

    /// Says where the views stand, for answers that read none of them.
    #[must_use]
    pub fn with_current_position(mut self, current: CurrentPosition) -> Self {
        let shared = Arc::get_mut(&mut self.shared).expect("set before the executor is shared");
        shared.current = Some(current);
        self
    }

    /// Says whether the ledger is away, for requests that ran out of time: they waited for it.
    #[must_use]
    pub fn with_ledger_away(mut self, away: LedgerAway) -> Self {
        let shared = Arc::get_mut(&mut self.shared).expect("set before the executor is shared");
        shared.away = Some(away);
        self
    }

    /// The limits the guard keeps.
    pub fn limits(&self) -> &Limits {
        &self.shared.config.limits
    }

    /// Passes the document through the guard and finds its operation, without running it.
    pub fn prepare(&self, request: &Request) -> Result<Prepared, Box<ServerError>> {
        let config = &self.shared.config;
        let (hash, document) = self.shared.documents.get(&request.query, &config.limits)?;
        let operation = find(&document, request.operation_name.as_deref())?;
        let ty = operation.ty;
        let auditor = matches!(datum::<Caller>(&request.data), Some(c) if c.role == Role::Auditor);
        let check = |limits| {
            guard::check_operation(&document, operation, &request.variables, limits)
                .map_err(|refusal: Refusal| Box::new(refusal.into_error()))
        };
        if auditor {
            check(&Limits { page: config.auditor_page, ..config.limits.clone() })?;
        } else {
            check(&config.limits)?;
        }
        Ok(Prepared { hash, operation: ty, document })
    }

    /// Runs a query or mutation that was prepared from this very request.
    pub async fn run(&self, prepared: &Prepared, mut request: Request) -> Response {
        let (id, positions) = equip(&mut request);
        request.set_parsed_query(ExecutableDocument::clone(&prepared.document));
        let span = tracing::info_span!(
            "graphql",
            request = %id,
            operation = %prepared.operation,
            document = %short(&prepared.hash),
        );
        let started = Instant::now();
        let running = AssertUnwindSafe(self.schema.execute(request)).catch_unwind();
        let outcome =
            tokio::time::timeout(self.shared.config.deadline, running).instrument(span).await;
        let response = match outcome {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => {
                drop(panic);
                failed(Code::Internal.server_error("a resolver panicked", None))
            }
            Err(_) => failed(self.late()),
        };
        self.finish(response, id, &positions, prepared.operation, started)
    }

    /// Runs a subscription (or a query, as a stream of one answer) that was prepared from this
    /// very request. Each answer is mended as a single one would be.
    pub fn run_stream(
        &self,
        prepared: &Prepared,
        mut request: Request,
        session: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        if prepared.operation != OperationType::Subscription {
            let (this, prepared) = (self.clone(), prepared.clone());
            return stream::once(async move { this.run(&prepared, request).await }).boxed();
        }
        let (id, positions) = equip(&mut request);
        request.set_parsed_query(ExecutableDocument::clone(&prepared.document));
        let (this, operation) = (self.clone(), prepared.operation);
        let answers = AssertUnwindSafe(self.schema.execute_stream(request, session)).catch_unwind();
        let mut ended = false;
        answers
            .map(move |answer| {
                let started = Instant::now();
                let response = answer.unwrap_or_else(|_| {
                    failed(Code::Internal.server_error("a resolver panicked", None))
                });
                this.finish(response, id, &positions, operation, started)
            })
            .take_while(move |response| {
                // A request error ends the stream after it has been told.
                let more = !ended;
                ended = response.is_err() && response.data == Value::Null;
                futures::future::ready(more)
            })
            .boxed()
    }

    /// The answer to a request the guard or a transport refused.
    pub fn refuse(&self, error: ServerError, id: RequestId) -> Response {
        self.shared.metrics.refused(&error);
        mending::mend(failed(error), id, self.shared.config.errors_shown)
    }

    /// What is counted.
    pub fn metrics(&self) -> &ApiMetrics {
        &self.shared.metrics
    }

    /// Why a request did not end in time.
    fn late(&self) -> ServerError {
        if self.shared.away.as_ref().is_some_and(|away| away()) {
            return Code::Unavailable.server_error(UNAVAILABLE, None);
        }
        let message = "the request took longer than it may: ask for less at a time";
        Code::Timeout.server_error(message, None)
    }

    fn finish(
        &self,
        response: Response,
        id: RequestId,
        positions: &ReadPositions,
        operation: OperationType,
        started: Instant,
    ) -> Response {
        let mut response = mending::mend(response, id, self.shared.config.errors_shown);
        let current = || self.shared.current.as_ref().and_then(|current| current());
        if !mending::is_request_error(&response)
            && let Some(position) = positions.take().or_else(current)
        {
            response.extensions.insert("position".into(), Value::from(position.to_string()));
        }
        let code = response.errors.first().and_then(code_of);
        self.shared.metrics.answered(operation, code, started.elapsed());
        response
    }
}

impl<S: Executor> Executor for Guarded<S> {
    async fn execute(&self, request: Request) -> Response {
        match self.prepare(&request) {
            Ok(prepared) => self.run(&prepared, request).await,
            Err(error) => self.refuse(*error, id_of(&request)),
        }
    }

    fn execute_stream(
        &self,
        request: Request,
        session: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        match self.prepare(&request) {
            Ok(prepared) => self.run_stream(&prepared, request, session),
            Err(error) => {
                let refusal = self.refuse(*error, id_of(&request));
                stream::once(futures::future::ready(refusal)).boxed()
            }
        }
    }
}

fn failed(error: ServerError) -> Response {
    Response::from_errors(vec![error])
}

fn short(hash: &DocumentHash) -> String {
    hash[..6].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A datum of a request, if it has one of this type.
pub(crate) fn datum<T: 'static>(data: &Data) -> Option<&T> {
    data.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref())
}

fn id_of(request: &Request) -> RequestId {
    datum::<RequestId>(&request.data).copied().unwrap_or_else(RequestId::fresh)
}

/// Gives the request the data every resolver may rely on, unless its transport already did.
fn equip(request: &mut Request) -> (RequestId, ReadPositions) {
    let id = id_of(request);
    request.data.insert(id);
    let positions = datum::<ReadPositions>(&request.data).cloned().unwrap_or_default();
    request.data.insert(positions.clone());
    (id, positions)
}

/// The operation of a document that a request names, or its only one.
fn find<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Box<ServerError>> {
    let error = |message| Err(Box::new(Code::BadRequest.server_error(message, None)));
    match (&document.operations, name) {
        (DocumentOperations::Single(only), None) => Ok(&only.node),
        (DocumentOperations::Multiple(several), Some(name)) => match several.get(name) {
            Some(found) => Ok(&found.node),
            None => error("the document has no operation of the name in operationName"),
        },
        (DocumentOperations::Single(_), Some(_)) => {
            error("the document's operation has no name: leave operationName out")
        }
        (DocumentOperations::Multiple(several), None) => match several.values().next() {
            Some(only) if several.len() == 1 => Ok(&only.node),
            _ => error("the document has several operations: say which in operationName"),
        },
    }
}
