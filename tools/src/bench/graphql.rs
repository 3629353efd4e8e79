//! `cxledger bench graphql`: a page of a timeline over GraphQL, against a bare handler that reads
//! the same rows.
//!
//! Both servers run in this process on loopback, over one ledger and one reader of one view. The
//! same keep-alive client asks them in turn, round by round, for the same customers in the same
//! order, so that both see the same machine.

mod bare;
mod load;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use cx_api::http::ApiConfig;
use cx_model::CustomerId;
use cx_projections::views::Timeline;
use cx_projections::{Reader, Scan};
use serde_json::{Map, Value, json};

use super::machine;
use super::views::fill;
use crate::meeting::Meeting;
use crate::node::Node;
use crate::open::Opened;
use load::{Load, Round};

/// Entries of a page, and events a customer must have to have one.
const PAGE: usize = 50;

const QUERY: &str = "query Page($customer: ID!) { timeline(customer: $customer, first: 50) { \
    nodes { id kind occurredAt recordedAt position channel stage label } \
    pageInfo { hasNextPage endCursor } } }";

/// A page of 50 timeline entries of 8 fields, over GraphQL and by a bare handler.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cxledger bench graphql --json")]
pub struct Graphql {
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
    /// Rounds of each server at each number of connections.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long a round takes.
    #[arg(long, default_value_t = 1_000)]
    round_ms: u64,
    /// How many events the ledger holds; a customer has 50 of them on average.
    #[arg(long, default_value_t = 20_000)]
    events: u64,
    /// Threads that serve; the client has one of its own.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Where to put the ledger and the views; a directory of the system's by default. It is removed.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Graphql) -> anyhow::Result<()> {
    let directory = arguments.directory.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("cxledger-bench-graphql-{}", std::process::id()))
    });
    super::must_be_empty(&directory)?;
    let measured = measure(arguments, &directory);
    std::fs::remove_dir_all(&directory).ok();
    let figures = measured?;
    if arguments.json {
        say!("{}", Value::Object(figures));
    } else {
        for (name, value) in figures {
            say!("{name:44} {value}");
        }
    }
    Ok(())
}

fn measure(arguments: &Graphql, directory: &Path) -> anyhow::Result<Map<String, Value>> {
    let opened = Opened::to_write(directory)?;
    fill(opened.log()?, arguments.events)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(arguments.workers.max(1)).enable_all().build()?;
    let (end, ended) = tokio::sync::watch::channel(false);
    let until = |mut ended: tokio::sync::watch::Receiver<bool>| async move {
        // An error means that the measurement is over as well.
        let _ = ended.wait_for(|ended| *ended).await;
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let meeting = Meeting { listen, tokens: None, api: ApiConfig::default(), event_store: None };
    let listening = meeting.listen(directory)?;
    let (node, reader) = runtime.block_on(async {
        let node = Node::start(&opened, listening).await?;
        let engine = &node.system().engine;
        engine.at_least(opened.log()?.head_now(), &[], Duration::from_mins(2)).await?;
        let reader = engine.reader::<Timeline>();
        anyhow::Ok((node, reader))
    })?;
    let customers = customers(&reader)?;
    let graphql = node.address();
    let serving = runtime.spawn(node.serve(until(ended.clone())));
    let bare = runtime.block_on(bare::start(reader, until(ended)))?;
    let figures = rounds(arguments, graphql, bare, &customers);
    end.send_replace(true);
    runtime.block_on(serving)??;
    figures
}

/// Those who have a page's worth of entries.
fn customers(reader: &Reader<Timeline>) -> anyhow::Result<Vec<CustomerId>> {
    let mut entries = std::collections::BTreeMap::<CustomerId, usize>::new();
    reader.snapshot()?.visit(&Scan::all(), |row| {
        *entries.entry(row.key.0).or_default() += row.view.entries().len();
        true
    })?;
    let enough = entries.into_iter().filter(|(_, entries)| *entries >= PAGE);
    let customers: Vec<CustomerId> = enough.map(|(customer, _)| customer).collect();
    ensure!(!customers.is_empty(), "too few events: no customer has {PAGE} entries");
    Ok(customers)
}

fn rounds(
    arguments: &Graphql,
    graphql: SocketAddr,
    bare: SocketAddr,
    customers: &[CustomerId],
) -> anyhow::Result<Map<String, Value>> {
    let asks = |customer: &CustomerId| {
        let body = json!({ "query": QUERY, "variables": { "customer": customer.to_string() } });
        load::post(graphql, "/graphql", &body.to_string())
    };
    let servers = [
        ("graphql", Load::new(graphql, customers.iter().map(asks).collect())),
        ("bare", Load::new(bare, customers.iter().map(|id| bare::request(bare, *id)).collect())),
    ];
    same_rows(&servers[0].1, &servers[1].1)?;
    let round = Duration::from_millis(arguments.round_ms);
    let mut figures = Map::new();
    figures.insert("machine".into(), machine::describe().into());
    figures.insert("serving_threads".into(), arguments.workers.max(1).into());
    figures.insert("customers".into(), customers.len().into());
    for connections in [1, 64] {
        let mut measured = [Vec::new(), Vec::new()];
        for (_, server) in &servers {
            server.run(connections, round / 2)?;
        }
        for _ in 0..arguments.rounds.max(1) {
            for (place, (_, server)) in servers.iter().enumerate() {
                measured[place].push(server.run(connections, round)?);
            }
        }
        let mut ratios: Vec<f64> =
            measured[0].iter().zip(&measured[1]).map(|(a, b)| a.rate() / b.rate()).collect();
        for ((name, _), rounds) in servers.iter().zip(&mut measured) {
            let mut figure = |what: &str, value: f64| {
                let value = (value * 1_000.0).round() / 1_000.0;
                figures.insert(format!("{name}_{connections}_connections_{what}"), value.into());
            };
            figure(
                "per_second",
                machine::median(&mut rounds.iter().map(Round::rate).collect::<Vec<_>>()),
            );
            figure("p50_microseconds", load::percentile(rounds, 0.50));
            figure("p99_microseconds", load::percentile(rounds, 0.99));
            let requests: usize = rounds.iter().map(|round| round.latencies.len()).sum();
            let seconds: f64 = rounds.iter().map(|round| round.server_seconds).sum();
            figure("server_cpu_microseconds", seconds * 1e6 / requests as f64);
            let busy = rounds.iter().map(|round| round.client_busy).fold(0.0, f64::max);
            figure("client_busy", busy);
        }
        let ratio = (machine::median(&mut ratios) * 1_000.0).round() / 1_000.0;
        figures.insert(format!("graphql_of_bare_{connections}_connections"), ratio.into());
    }
    Ok(figures)
}

/// Both servers answer the same entries, or there is nothing to compare.
fn same_rows(graphql: &Load, bare: &Load) -> anyhow::Result<()> {
    let answers: [Value; 2] =
        [serde_json::from_slice(&graphql.once()?)?, serde_json::from_slice(&bare.once()?)?];
    let nodes = |answer: &Value| answer.get("nodes").and_then(Value::as_array).cloned();
    let page = &answers[0]["data"]["timeline"];
    let ours = nodes(page).with_context(|| format!("no page: {}", answers[0]))?;
    let theirs = nodes(&answers[1]).with_context(|| format!("no page: {}", answers[1]))?;
    ensure!(ours.len() == PAGE && theirs == ours, "the two pages differ");
    ensure!(page["pageInfo"] == answers[1]["pageInfo"], "the two pages go on differently");
    Ok(())
}
