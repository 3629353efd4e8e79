//! Whether the server lives and whether it is ready.

use axum::http::StatusCode;
use futures::future::BoxFuture;
use serde::Serialize;

/// One thing that must be well before the server is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, such as `ledger` or `view timeline`.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// How it is, and what to do where it is not well. No personal data.
    pub detail: String,
}

/// Answers whether the server is ready: the ledger takes appends, each view makes progress.
pub trait Readiness: Send + Sync + 'static {
    /// Looks at everything now. Answers within a second or so.
    fn checks(&self) -> BoxFuture<'_, Vec<Check>>;
}

/// A server with nothing behind it is ready at once.
#[derive(Debug, Clone, Copy)]
pub struct AlwaysReady;

impl Readiness for AlwaysReady {
    fn checks(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(futures::future::ready(Vec::new()))
    }
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    checks: Vec<Check>,
}

/// The status and JSON body of `/health/ready`.
pub(crate) async fn ready(readiness: &dyn Readiness, draining: bool) -> (StatusCode, Vec<u8>) {
    let mut checks = readiness.checks().await;
    if draining {
        let detail = "the server is shutting down and takes no new work".into();
        checks.push(Check { name: "serving".into(), ok: false, detail });
    }
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body =
        serde_json::to_vec(&Ready { ready, checks }).expect("strings and booleans are always JSON");
    (status, body)
}
