//! Figures about the server, in the text format that Prometheus reads.
//!
//! A small registry of our own: a handful of counters, gauges and one histogram need no crate.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{ServerError, Value};

use crate::errors::Code;

/// Something that has figures to show, such as the ledger or a view engine.
pub trait Figures: Send + Sync + 'static {
    /// Writes its figures into the page.
    fn write(&self, page: &mut Page);
}

/// A page of figures in Prometheus' text format, version 0.0.4.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// Begins a family: its name (unit last), its kind (`counter`, `gauge`, `histogram`), its help.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample of the family.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let open = if n == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// The page as text.
    pub fn into_text(self) -> String {
        self.text
    }
}

const OPERATIONS: [&str; 3] = ["query", "mutation", "subscription"];
const BOUNDS_SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];
/// One for each code of the table, and one for answers without an error.
const OUTCOMES: usize = Code::ALL.len() + 1;

#[derive(Debug, Default)]
struct Counts {
    answers: [[AtomicU64; OUTCOMES]; OPERATIONS.len()],
    buckets: [AtomicU64; BOUNDS_SECONDS.len() + 1],
    micros: AtomicU64,
    refusals: std::sync::Mutex<std::collections::BTreeMap<String, u64>>,
    sockets: AtomicI64,
    streams: AtomicI64,
    slow_readers: AtomicU64,
    ingested: [AtomicU64; 5],
}

/// What the API counts about itself. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ApiMetrics(Arc<Counts>);

/// Something that is open now; dropping it takes it from the gauge.
#[derive(Debug)]
pub(crate) struct Open {
    counts: Arc<Counts>,
    stream: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge(&self.counts, self.stream).fetch_sub(1, Relaxed);
    }
}

/// What can become of a CloudEvent.
const INGESTED: [&str; 5] = ["taken", "repeated", "conflict", "quarantined", "refused"];

fn gauge(counts: &Counts, stream: bool) -> &AtomicI64 {
    if stream { &counts.streams } else { &counts.sockets }
}

impl ApiMetrics {
    pub(crate) fn answered(&self, operation: OperationType, code: Option<Code>, took: Duration) {
        let operation = match operation {
            OperationType::Query => 0,
            OperationType::Mutation => 1,
            OperationType::Subscription => 2,
        };
        let outcome = code.map_or(0, |code| {
            1 + Code::ALL.iter().position(|known| *known == code).unwrap_or_default()
        });
        self.0.answers[operation][outcome].fetch_add(1, Relaxed);
        if operation < 2 {
            let seconds = took.as_secs_f64();
            let bucket = BOUNDS_SECONDS.iter().position(|bound| seconds <= *bound);
            self.0.buckets[bucket.unwrap_or(BOUNDS_SECONDS.len())].fetch_add(1, Relaxed);
            self.0.micros.fetch_add(took.as_micros() as u64, Relaxed);
        }
    }

    pub(crate) fn refused(&self, error: &ServerError) {
        let text = |name| match error.extensions.as_ref().and_then(|values| values.get(name)) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        let rule = text("rule").or_else(|| text("code")).unwrap_or_else(|| "other".into());
        let mut refusals =
            self.0.refusals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *refusals.entry(rule).or_default() += 1;
    }

    pub(crate) fn socket(&self) -> Open {
        self.0.sockets.fetch_add(1, Relaxed);
        Open { counts: Arc::clone(&self.0), stream: false }
    }

    pub(crate) fn stream(&self) -> Open {
        self.0.streams.fetch_add(1, Relaxed);
        Open { counts: Arc::clone(&self.0), stream: true }
    }

    pub(crate) fn slow_reader(&self) {
        self.0.slow_readers.fetch_add(1, Relaxed);
    }

    /// Counts items, in the order of [`INGESTED`].
    pub(crate) fn ingested(&self, items: [u64; 5]) {
        for (count, more) in self.0.ingested.iter().zip(items) {
            count.fetch_add(more, Relaxed);
        }
    }
}

impl Figures for ApiMetrics {
    fn write(&self, page: &mut Page) {
        let counts = &self.0;
        let name = "cx_graphql_answers_total";
        page.family(
            name,
            "counter",
            "GraphQL answers by operation and the code of their first error.",
        );
        for (operation, outcomes) in OPERATIONS.iter().zip(&counts.answers) {
            for (n, count) in outcomes.iter().enumerate() {
                let count = count.load(Relaxed);
                if count > 0 || n == 0 {
                    let code = if n == 0 { "OK" } else { Code::ALL[n - 1].name() };
                    page.sample(name, &[("operation", operation), ("code", code)], count);
                }
            }
        }
        let name = "cx_graphql_duration_seconds";
        page.family(name, "histogram", "Time from a query or mutation to its answer.");
        let mut sum = 0;
        for (n, count) in counts.buckets.iter().enumerate() {
            sum += count.load(Relaxed);
            let bound = BOUNDS_SECONDS.get(n).map_or_else(|| "+Inf".into(), ToString::to_string);
            page.sample("cx_graphql_duration_seconds_bucket", &[("le", &bound)], sum);
        }
        let seconds = counts.micros.load(Relaxed) as f64 / 1e6;
        page.sample("cx_graphql_duration_seconds_sum", &[], seconds);
        page.sample("cx_graphql_duration_seconds_count", &[], sum);
        let name = "cx_refusals_total";
        page.family(name, "counter", "Requests refused before they ran, by rule or code.");
        let refusals = counts.refusals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (rule, count) in refusals.iter() {
            page.sample(name, &[("rule", rule)], count);
        }
        drop(refusals);
        for (name, kind, help, value) in [
            ("cx_sockets", "gauge", "WebSockets open now.", counts.sockets.load(Relaxed)),
            ("cx_streams", "gauge", "Subscriptions open now.", counts.streams.load(Relaxed)),
            (
                "cx_slow_readers_total",
                "counter",
                "Subscribers sent away because they read too slowly.",
                counts.slow_readers.load(Relaxed) as i64,
            ),
        ] {
            page.family(name, kind, help);
            page.sample(name, &[], value);
        }
        let name = "cx_ingest_items_total";
        page.family(name, "counter", "CloudEvents answered, by outcome.");
        for (outcome, count) in INGESTED.iter().zip(&counts.ingested) {
            page.sample(name, &[("outcome", outcome)], count.load(Relaxed));
        }
    }
}
