//! `cxledger bench log`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use cx_ledger::seeded::Seeded;
use cx_ledger::{Append, Direction, EmbeddedLog, Expected, Ledger, Options, RawNewEvent, decode};
use cx_model::{
    Actor, Channel, CustomerId, Envelope, Event, InteractionId, Position, Source, TouchpointId,
};
use jiff::Timestamp;
use serde::Serialize;

use super::machine;

/// Rounds of raw syncs and of each kind of append follow each other, so that all see the same
/// machine; the figures are medians.
#[derive(Debug, Args)]
#[command(after_help = "Example: cxledger bench log --json")]
pub struct Log {
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// How many events the log holds that is opened again and read.
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// How long a round of one kind takes.
    #[arg(long, default_value_t = 400)]
    round_ms: u64,
    /// Where the files are made; it is removed at the end.
    #[arg(long, default_value = "./cxledger-bench")]
    directory: PathBuf,
}

#[derive(Debug, Default, Serialize)]
struct Figures {
    machine: String,
    event_bytes: u64,
    raw_fdatasync_per_second: f64,
    append_1_writer_per_second: f64,
    append_batch_100_per_second: f64,
    append_64_writers_per_second: f64,
    append_1_writer_of_raw: f64,
    append_batch_100_of_raw: f64,
    append_64_writers_of_raw: f64,
    events: u64,
    streams: u64,
    catch_up_raw_per_second: f64,
    catch_up_decoded_per_second: f64,
    /// The same for a second of processor time, which other work on the machine does not change.
    catch_up_decoded_per_core_second: f64,
    reopen_events: u64,
    reopen_seconds: f64,
    /// `reopen_seconds`, if the log held ten million events.
    reopen_10m_seconds: Option<f64>,
    open_log_resident_bytes_per_event: f64,
    disk_bytes_per_event_byte: f64,
    disk_bytes_per_event_byte_one_by_one: f64,
}

/// Runs the command.
pub fn run(args: &Log) -> anyhow::Result<()> {
    let directory = &args.directory;
    super::must_be_empty(directory)?;
    std::fs::create_dir_all(directory)?;
    let mut figures = Figures { machine: machine::describe(), ..Figures::default() };
    let measured = measure(args, directory, &mut figures);
    std::fs::remove_dir_all(directory)?;
    measured?;
    if args.json {
        say!("{}", serde_json::to_string(&figures)?);
    } else {
        let shown = serde_json::to_value(&figures)?;
        for (name, value) in shown.as_object().context("figures are an object")? {
            say!("{name:42} {value}");
        }
    }
    Ok(())
}

fn measure(args: &Log, directory: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    durable_appends(args, directory, figures, &runtime)?;
    size_one_by_one(directory, figures)?;
    fill_and_read(args, directory, figures, &runtime)
}

/// A new log with no small segments, as one that has been in use.
fn new_log(directory: &Path) -> anyhow::Result<EmbeddedLog> {
    let options = Options { first_segment_bytes: 128 << 20, ..Options::default() };
    Ok(EmbeddedLog::open(directory, options)?.0)
}

/// Interactions of about 400 bytes, as an import or a server makes them.
struct Source400 {
    random: Seeded,
    customers: u64,
}

impl Source400 {
    fn new(seed: u64, customers: u64) -> Self {
        Self { random: Seeded::new(seed), customers }
    }

    fn append(&mut self, events: usize) -> Append {
        let customer = uuid::Uuid::from_u64_pair(7, self.random.below(self.customers));
        Append {
            stream: CustomerId(customer).stream(),
            expected: Expected::Any,
            events: (0..events).map(|_| self.event()).collect(),
        }
    }

    fn event(&mut self) -> RawNewEvent {
        let seconds = 1_700_000_000 + self.random.below(30_000_000) as i64;
        let at = Timestamp::from_second(seconds).expect("a time of these years");
        let number = self.random.below(1_000_000_000);
        let mut envelope = Envelope::new(at, Actor::System { name: "import".into() });
        envelope.source = Some(Source { system: "web".into(), id: number.to_string() });
        let event = Event::from(cx_model::event::InteractionRecorded {
            interaction: InteractionId(self.random.id()),
            kind: "page_view".into(),
            touchpoint: Some(TouchpointId(self.random.id())),
            channel: Channel::Web,
            direction: cx_model::Direction::In,
            initiator: cx_model::Initiator::Customer,
            counterparty: None,
            stage: None,
            thread: Some(format!("session-{number}")),
            case: None,
            duration_seconds: Some(42),
            outcome: None,
            text: None,
            valence: None,
            expectation: None,
        });
        let encoded = cx_model::encode(&envelope, &event).expect("nothing personal is in it");
        RawNewEvent {
            id: self.random.id(),
            event_type: event.event_type().into(),
            data: encoded.data.into(),
            metadata: encoded.metadata.into(),
        }
    }
}

fn bytes_of(append: &Append) -> u64 {
    let events = append
        .events
        .iter()
        .map(|event| event.data.len() + event.metadata.len() + event.event_type.len() + 16);
    (events.sum::<usize>() + append.stream.as_str().len() * append.events.len()) as u64
}

fn durable_appends(
    args: &Log,
    directory: &Path,
    figures: &mut Figures,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<()> {
    const RAW_BYTES: u64 = 32 << 20;
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    let raw = options.open(directory.join("raw"))?;
    for at in (0..RAW_BYTES).step_by(1 << 20) {
        raw.write_all_at(&vec![0; 1 << 20], at)?;
    }
    raw.sync_all()?;
    let log = new_log(&directory.join("appends"))?;
    let round = Duration::from_millis(args.round_ms);
    let mut source = Source400::new(1, 100_000);
    let mut rates = [const { Vec::new() }; 4];
    let mut page = 0;
    for _ in 0..args.rounds {
        rates[0].push(rate(round, 1, || {
            page = (page + 1) % (RAW_BYTES / 4096);
            Ok(raw.write_all_at(&[7; 4096], page * 4096).and_then(|()| raw.sync_data())?)
        })?);
        let mut ready: Vec<_> = (0..20_000).map(|_| source.append(1)).collect();
        figures.event_bytes = bytes_of(&ready[0]);
        rates[1].push(rate(round, 1, || {
            log.append_blocking(ready.pop().context("too few appends were made")?)?;
            Ok(())
        })?);
        let mut ready: Vec<_> = (0..3_000).map(|_| source.append(100)).collect();
        rates[2].push(rate(round, 100, || {
            log.append_blocking(ready.pop().context("too few appends were made")?)?;
            Ok(())
        })?);
        rates[3].push(many_writers(&log, runtime, &mut source, round)?);
    }
    let [raw, one, batch, many] = rates.map(|mut rates| machine::median(&mut rates));
    figures.raw_fdatasync_per_second = raw;
    figures.append_1_writer_per_second = one;
    figures.append_batch_100_per_second = batch;
    figures.append_64_writers_per_second = many;
    figures.append_1_writer_of_raw = one / raw;
    figures.append_batch_100_of_raw = batch / raw;
    figures.append_64_writers_of_raw = many / raw;
    drop(log);
    std::fs::remove_dir_all(directory.join("appends"))?;
    Ok(())
}

fn rate(
    round: Duration,
    each: u64,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < round {
        work()?;
        count += each;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Sixty-four tasks, each of which waits for one append before it makes the next.
fn many_writers(
    log: &EmbeddedLog,
    runtime: &tokio::runtime::Runtime,
    source: &mut Source400,
    round: Duration,
) -> anyhow::Result<f64> {
    let ready: Vec<Vec<Append>> =
        (0..64).map(|_| (0..6_000).map(|_| source.append(1)).collect()).collect();
    runtime.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = ready
            .into_iter()
            .map(|appends| {
                let log = log.clone();
                tokio::spawn(async move {
                    let mut count = 0_u64;
                    for append in appends {
                        if start.elapsed() >= round {
                            break;
                        }
                        log.append(append).await?;
                        count += 1;
                    }
                    anyhow::Ok(count)
                })
            })
            .collect();
        let mut total = 0;
        for task in tasks {
            total += task.await??;
        }
        Ok(total as f64 / start.elapsed().as_secs_f64())
    })
}

/// The worst for the size: every append is one event, every event another stream.
fn size_one_by_one(directory: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let folder = directory.join("single");
    let options = Options { segment_bytes: 4 << 20, ..Options::default() };
    let (log, _) = EmbeddedLog::open(&folder, options)?;
    let mut source = Source400::new(3, u64::MAX);
    let mut bytes = 0;
    for _ in 0..60 {
        let sets: Vec<_> = (0..1000).map(|_| vec![source.append(1)]).collect();
        bytes += sets.iter().flatten().map(bytes_of).sum::<u64>();
        for answer in log.append_each_blocking(sets) {
            answer?;
        }
    }
    figures.disk_bytes_per_event_byte_one_by_one = on_disk(log, &folder)? / bytes as f64;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// The bytes of segments and indexes, without what is spare in the last segment and prepared.
fn on_disk(log: EmbeddedLog, folder: &Path) -> anyhow::Result<f64> {
    // Closed first: the next segment may just be being prepared.
    drop(log);
    let spare = EmbeddedLog::open_read_only(folder)?.0.spare_bytes();
    let mut total = 0;
    for entry in std::fs::read_dir(folder)? {
        total += entry?.metadata()?.len();
    }
    Ok(total.saturating_sub(spare) as f64)
}

fn fill_and_read(
    args: &Log,
    directory: &Path,
    figures: &mut Figures,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<()> {
    let folder = directory.join("filled");
    let (log, _) = EmbeddedLog::open(&folder, Options::default())?;
    // Ten events a customer on average, in appends of one to three.
    let mut source = Source400::new(2, (args.events / 10).max(1));
    let (mut count, mut bytes) = (0, 0);
    while count < args.events {
        let sets: Vec<_> = (0..500)
            .map(|_| {
                let events = 1 + source.random.below(3) as usize;
                vec![source.append(events)]
            })
            .collect();
        count += sets.iter().flatten().map(|append| append.events.len() as u64).sum::<u64>();
        bytes += sets.iter().flatten().map(bytes_of).sum::<u64>();
        for answer in log.append_each_blocking(sets) {
            answer?;
        }
    }
    figures.events = count;
    figures.disk_bytes_per_event_byte = on_disk(log, &folder)? / bytes as f64;
    let resident = machine::resident_bytes();
    let mut seconds = Vec::new();
    let mut open = None;
    for _ in 0..3 {
        drop(open.take());
        let start = Instant::now();
        let (log, report) = EmbeddedLog::open(&folder, Options::default())?;
        seconds.push(start.elapsed().as_secs_f64());
        figures.streams = report.streams as u64;
        open = Some(log);
    }
    let log = open.context("it was opened")?;
    figures.reopen_events = count;
    figures.reopen_seconds = machine::median(&mut seconds);
    let is_10m = (9_990_000..10_100_000).contains(&count);
    figures.reopen_10m_seconds = is_10m.then_some(figures.reopen_seconds);
    let grown = machine::resident_bytes().saturating_sub(resident);
    figures.open_log_resident_bytes_per_event = grown as f64 / count as f64;
    catch_up(&Arc::new(log), figures, runtime)
}

/// From the first event to the head, as a view's feed does it: raw, and as typed events.
fn catch_up(
    log: &Arc<EmbeddedLog>,
    figures: &mut Figures,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<()> {
    let first = log.read_all_blocking(Position::START, Direction::Forwards, 1)?;
    decode(&first[0]).context("the events of this run can be read")?;
    let count = log.head_now().commit().min(3_000_000);
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..3 {
        rates[0].push(runtime.block_on(read_through(log, count, false))?);
        let before = machine::cpu_seconds();
        rates[1].push(runtime.block_on(read_through(log, count, true))?);
        rates[2].push(count as f64 / (machine::cpu_seconds() - before));
    }
    let [raw, decoded, of_core] = rates.map(|mut rates| machine::median(&mut rates));
    figures.catch_up_raw_per_second = raw;
    figures.catch_up_decoded_per_second = decoded;
    figures.catch_up_decoded_per_core_second = of_core;
    Ok(())
}

async fn read_through(log: &EmbeddedLog, count: u64, decoded: bool) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut feed = log.follow(Position::START);
    let (mut read, mut checked) = (0, 0_i64);
    while read < count {
        let events = feed.next(4096).await?;
        read += events.len() as u64;
        if decoded {
            for event in &events {
                checked ^= decode(event)?.occurred_at().as_second();
            }
        }
    }
    std::hint::black_box(checked);
    Ok(read as f64 / start.elapsed().as_secs_f64())
}
