//! `cxledger bench esdb`: the event-store endpoint, as the Rust client meets it over loopback.
//!
//! Client and server share the process and the machine, so the figures are those of both.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::{choose_cryptography, listen};
use cx_api::serve::Drain;
use cx_ledger::{EmbeddedLog, Options};
use eventstore::{AppendToStreamOptions, Client, ClientSettings, EventData, ReadAllOptions};
use serde::Serialize;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::machine;

/// Single appends over many connections, and reading everything over one.
#[derive(Debug, Args)]
#[command(after_help = "Example: cxledger bench esdb --json")]
pub struct Esdb {
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// How many connections append at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How many events are read.
    #[arg(long, default_value_t = 500_000)]
    events: u64,
    /// Rounds of each kind; the figures are medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a round of one kind takes.
    #[arg(long, default_value_t = 2000)]
    round_ms: u64,
    /// Where the files are made; it is removed at the end.
    #[arg(long, default_value = "./cxledger-bench")]
    directory: PathBuf,
}

#[derive(Debug, Default, Serialize)]
struct Figures {
    machine: String,
    connections: usize,
    event_bytes: usize,
    raw_fdatasync_per_second: f64,
    /// Each connection waits for one append before it makes the next.
    single_appends_per_second: f64,
    /// Processor time of client and server together, for each of these.
    single_append_cpu_microseconds: f64,
    /// Each connection has as many under way as `IN_FLIGHT`.
    single_appends_4_in_flight_per_second: f64,
    events_read_per_second: f64,
}

/// Runs the command.
pub fn run(args: &Esdb) -> anyhow::Result<()> {
    super::must_be_empty(&args.directory)?;
    std::fs::create_dir_all(&args.directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(args));
    drop(runtime);
    std::fs::remove_dir_all(&args.directory)?;
    let figures = figures?;
    if args.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        let shown = serde_json::to_value(&figures)?;
        for (name, value) in shown.as_object().context("figures are an object")? {
            println!("{name:30} {value}");
        }
    }
    Ok(())
}

/// A text that makes an event of about 400 bytes.
const TEXT: usize = 360;
/// How many appends are under way on a connection where there are several.
const IN_FLIGHT: usize = 4;

/// Events with the same content and ids of their own.
struct Events(EventData);

impl Events {
    fn new() -> anyhow::Result<Self> {
        let body = serde_json::json!({ "text": "x".repeat(TEXT) });
        Ok(Self(EventData::json("Measured", &body)?))
    }

    fn next(&self) -> EventData {
        self.0.clone().id(Uuid::new_v4())
    }
}

async fn measure(args: &Esdb) -> anyhow::Result<Figures> {
    choose_cryptography();
    let (log, _) = EmbeddedLog::open(&args.directory.join("ledger"), Options::default())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let drain = Drain::default();
    let endpoint = Endpoint::free(Arc::new(log), None, drain.clone());
    let serving = tokio::spawn(listen(endpoint, listener, None));
    let connect = || -> anyhow::Result<Client> {
        let settings: ClientSettings = format!("esdb://{address}?tls=false").parse()?;
        Client::new(settings).map_err(|error| anyhow::anyhow!("{error}"))
    };
    let clients = (0..args.connections).map(|_| connect()).collect::<anyhow::Result<Vec<_>>>()?;
    let [mut raw, mut appends, mut cpu, mut several] = [const { Vec::new() }; 4];
    for _ in 0..args.rounds {
        let round = Duration::from_millis(args.round_ms);
        raw.push(raw_syncs(&args.directory, round / 4)?);
        let before = machine::cpu_seconds();
        let one_by_one = append_round(&clients, 1, round).await?;
        cpu.push((machine::cpu_seconds() - before) * 1e6 / one_by_one.count as f64);
        appends.push(one_by_one.per_second());
        several.push(append_round(&clients, IN_FLIGHT, round).await?.per_second());
    }
    fill(&clients[0], args.events).await?;
    let mut reads = Vec::new();
    for _ in 0..args.rounds {
        reads.push(read_round(&clients[0], args.events).await?);
    }
    drain.begin();
    serving.await?;
    Ok(Figures {
        machine: machine::describe(),
        connections: args.connections,
        event_bytes: TEXT + 11,
        raw_fdatasync_per_second: machine::median(&mut raw),
        single_appends_per_second: machine::median(&mut appends),
        single_append_cpu_microseconds: machine::median(&mut cpu),
        single_appends_4_in_flight_per_second: machine::median(&mut several),
        events_read_per_second: machine::median(&mut reads),
    })
}

/// How often 4 KiB are written and synced, a second.
fn raw_syncs(directory: &Path, round: Duration) -> anyhow::Result<f64> {
    const BLOCKS: u64 = 4096;
    let file =
        File::options().create(true).truncate(false).write(true).open(directory.join("raw"))?;
    let block = [7; 4096];
    if file.metadata()?.len() == 0 {
        for number in 0..BLOCKS {
            file.write_all_at(&block, number * 4096)?;
        }
        file.sync_all()?;
    }
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < round {
        file.write_all_at(&block, (count % BLOCKS) * 4096)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// How many appends there were, and how long they took.
struct Round {
    count: u64,
    took: Duration,
}

impl Round {
    fn per_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

async fn append_round(
    clients: &[Client],
    in_flight: usize,
    round: Duration,
) -> anyhow::Result<Round> {
    let started = Instant::now();
    let mut tasks = Vec::new();
    for client in clients.iter().flat_map(|client| std::iter::repeat_n(client, in_flight)) {
        let (client, events) = (client.clone(), Events::new()?);
        tasks.push(tokio::spawn(async move {
            let options = AppendToStreamOptions::default();
            let stream = format!("bench-{}", Uuid::new_v4());
            let mut count = 0_u64;
            while started.elapsed() < round {
                client.append_to_stream(stream.clone(), &options, events.next()).await?;
                count += 1;
            }
            anyhow::Ok(count)
        }));
    }
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    Ok(Round { count, took: started.elapsed() })
}

async fn fill(client: &Client, events: u64) -> anyhow::Result<()> {
    let options = AppendToStreamOptions::default();
    let made = Events::new()?;
    for _ in 0..events.div_ceil(1000) {
        let events: Vec<_> = (0..1000).map(|_| made.next()).collect();
        client.append_to_stream("bench-filled", &options, events).await?;
    }
    Ok(())
}

async fn read_round(client: &Client, events: u64) -> anyhow::Result<f64> {
    let options = ReadAllOptions::default().max_count(usize::try_from(events)?);
    let started = Instant::now();
    let mut read = client.read_all(&options).await?;
    let mut count = 0_u64;
    while read.next().await?.is_some() {
        count += 1;
    }
    anyhow::ensure!(count == events, "{count} of {events} events were read");
    Ok(count as f64 / started.elapsed().as_secs_f64())
}
