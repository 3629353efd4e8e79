//! `cxledger bench hostile`: the worst that one hostile request costs.
//!
//! Each request of the corpus, and each document just inside the limits, is put to the executor
//! over a small schema on one thread, with nothing cached. A request never waits here, so the time
//! by the clock is the CPU time it takes or more; the least of the rounds is taken.

use std::time::{Duration, Instant};

use anyhow::ensure;
use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema, Variables};
use cx_api::executor::{ExecutorConfig, Guarded};
use cx_api::hostile;
use cx_api::metrics::ApiMetrics;

/// The most one request may cost.
const LIMIT: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cxledger bench hostile --json")]
pub(crate) struct Hostile {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// How often each request is tried; the least counts.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
}

struct Thing;

/// A schema in which everything nests.
#[Object]
impl Thing {
    async fn name(&self) -> &str {
        "a thing"
    }

    async fn thing(&self) -> Thing {
        Thing
    }
}

type Executor = Guarded<Schema<Thing, EmptyMutation, EmptySubscription>>;

fn executor() -> Executor {
    let schema =
        Schema::build(Thing, EmptyMutation, EmptySubscription).disable_suggestions().finish();
    Guarded::new(schema, ExecutorConfig::default(), ApiMetrics::default())
}

impl Hostile {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let cost = |document: &str, variables: &Variables| {
            let rounds = (0..self.rounds.max(1)).map(|_| {
                let executor = executor();
                let request = Request::new(document).variables(variables.clone());
                let started = Instant::now();
                let response =
                    runtime.block_on(async_graphql::Executor::execute(&executor, request));
                let took = started.elapsed();
                (took, response.is_err())
            });
            rounds.min().unwrap_or_default()
        };
        let corpus = hostile::corpus();
        let (mut worst, mut let_through) = ((Duration::ZERO, String::new()), 0);
        for hostile in &corpus {
            let (took, refused) = cost(&hostile.document, &hostile.variables);
            let_through += u32::from(!refused);
            worst = worst.max((took, hostile.name.clone()));
        }
        let mut worst_inside = (Duration::ZERO, String::new());
        for (name, document) in hostile::borderline() {
            let (took, _) = cost(&document, &Variables::default());
            worst_inside = worst_inside.max((took, name));
        }
        let millis = |took: Duration| took.as_secs_f64() * 1e3;
        if self.json {
            let figures = serde_json::json!({
                "requests": corpus.len(),
                "let_through": let_through,
                "worst_refused_cpu_milliseconds": millis(worst.0),
                "worst_refused": worst.1,
                "worst_inside_cpu_milliseconds": millis(worst_inside.0),
                "worst_inside": worst_inside.1,
                "limit_milliseconds": millis(LIMIT),
            });
            say!("{figures}");
        } else {
            say!("{} hostile requests, {let_through} let through", corpus.len());
            say!("worst refused:          {:8.3} ms  {}", millis(worst.0), worst.1);
            say!("worst inside the limits: {:7.3} ms  {}", millis(worst_inside.0), worst_inside.1);
        }
        ensure!(let_through == 0, "{let_through} hostile requests were let through");
        ensure!(
            worst.0 < LIMIT && worst_inside.0 < LIMIT,
            "a request costs more than {} ms",
            millis(LIMIT)
        );
        Ok(())
    }
}
