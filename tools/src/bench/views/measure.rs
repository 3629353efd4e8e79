//! One measurement, in a process of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use cx_ledger::{Append, EmbeddedLog, Expected, Ledger, RawNewEvent};
use cx_projections::views::Timeline;
use cx_projections::{Engine, Options, Reader, Scan, registered};
use serde_json::{Value, json};

use super::history::History;

/// Longer than any of these may take.
const PATIENCE: Duration = Duration::from_mins(15);

/// Does one step of the bench in `directory`, and answers with its figures.
pub fn step(step: &str, directory: &Path, events: u64) -> anyhow::Result<Value> {
    if step == "prepare" {
        return prepare(&directory.join("ledger"), events);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match step {
            "catch-up" => catch_up(directory, events).await,
            "restart" => restart(directory).await,
            "rebuild" => rebuild(directory, events).await,
            "timeline" => timeline(directory, events).await,
            "live" => live(directory).await,
            other => bail!("there is no step {other}"),
        }
    })
}

fn raw(history: &mut History) -> anyhow::Result<Append> {
    let (id, stream, envelope, event) = history.next();
    let bytes = cx_model::encode(&envelope, &event)?;
    let event = RawNewEvent {
        id,
        event_type: event.event_type().into(),
        data: bytes.data.into(),
        metadata: bytes.metadata.into(),
    };
    Ok(Append { stream, expected: Expected::Any, events: vec![event] })
}

fn prepare(ledger: &Path, events: u64) -> anyhow::Result<Value> {
    let (log, _) = EmbeddedLog::open(ledger, cx_ledger::Options::default())?;
    fill(&log, events)?;
    Ok(json!({}))
}

/// Appends a believable history of so many events.
pub fn fill(log: &EmbeddedLog, events: u64) -> anyhow::Result<()> {
    let mut history = History::new(events);
    let mut left = events;
    while left > 0 {
        let count = left.min(1_000);
        let appends = (0..count).map(|_| raw(&mut history)).collect::<Result<Vec<_>, _>>()?;
        log.append_many_blocking(appends)?;
        left -= count;
    }
    Ok(())
}

fn open(directory: &Path) -> anyhow::Result<Arc<EmbeddedLog>> {
    let (log, _) = EmbeddedLog::open(&directory.join("ledger"), cx_ledger::Options::default())?;
    Ok(Arc::new(log))
}

async fn reached(engine: &Engine) -> anyhow::Result<()> {
    let head = engine.ledger().head().await?;
    engine.at_least(head, &[], PATIENCE).await?;
    Ok(())
}

async fn catch_up(directory: &Path, events: u64) -> anyhow::Result<Value> {
    let log = open(directory)?;
    let before = memory("VmRSS");
    let start = Instant::now();
    let engine = Engine::start(log, &directory.join("views"), Options::default()).await?;
    let latencies = Latencies::measure(engine.reader::<Timeline>());
    reached(&engine).await?;
    let seconds = start.elapsed().as_secs_f64();
    let latencies = latencies.end();
    let resident = memory("VmHWM");
    let logical = engine.logical_bytes().await?;
    let status = engine.status().await?;
    engine.shutdown().await;
    let disk = size_of(&directory.join("views"));
    let by_view = status.iter().map(|view| {
        let logical = logical.iter().find(|(name, _)| *name == view.name).map_or(0, |of| of.1);
        let disk = size_of(&directory.join("views").join(view.name));
        (view.name.to_owned(), json!({ "disk_bytes": disk, "logical_bytes": logical }))
    });
    let by_view: serde_json::Map<String, Value> = by_view.collect();
    let logical: u64 = logical.iter().map(|of| of.1).sum();
    Ok(json!({
        "catch_up_events_per_second": (events as f64 / seconds).round(),
        "catch_up_disk_bytes": disk,
        "catch_up_logical_bytes": logical,
        "catch_up_disk_per_logical": rounded(disk as f64 / logical as f64),
        "catch_up_resident_peak_bytes": resident,
        "resident_bytes_with_ledger_only": before,
        "reader_p50_microseconds_while_writing": latencies.at(0.5),
        "reader_p99_microseconds_while_writing": latencies.at(0.99),
        "reader_max_microseconds_while_writing": latencies.at(1.0),
        "by_view": by_view,
    }))
}

async fn restart(directory: &Path) -> anyhow::Result<Value> {
    let log = open(directory)?;
    let start = Instant::now();
    let engine = Engine::start(log, &directory.join("views"), Options::default()).await?;
    reached(&engine).await?;
    let seconds = start.elapsed().as_secs_f64();
    let checked = Instant::now();
    while !engine.status().await?.iter().all(|view| view.verified) {
        ensure!(checked.elapsed() < PATIENCE, "the rows were not checked in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let checked = start.elapsed().as_secs_f64();
    let resident = memory("VmRSS");
    engine.shutdown().await;
    Ok(json!({
        "restart_seconds": rounded(seconds),
        "restart_all_rows_checked_seconds": rounded(checked),
        "restart_resident_bytes": resident,
    }))
}

/// Points every view at a generation that no code makes, so that all are made anew.
async fn rebuild(directory: &Path, events: u64) -> anyhow::Result<Value> {
    let views = directory.join("views");
    for view in std::fs::read_dir(&views)?.flatten() {
        for entry in std::fs::read_dir(view.path())?.flatten() {
            if entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        std::fs::write(view.path().join("active"), "0000000000000000\n")?;
    }
    let log = open(directory)?;
    let start = Instant::now();
    let engine = Engine::start(log, &views, Options::default()).await?;
    reached(&engine).await?;
    while engine.status().await?.iter().any(|view| view.served_generation.is_some()) {
        ensure!(start.elapsed() < PATIENCE, "the views were not rebuilt in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    let resident = memory("VmHWM");
    let logical: u64 = engine.logical_bytes().await?.iter().map(|of| of.1).sum();
    engine.shutdown().await;
    let disk = size_of(&views);
    Ok(json!({
        "rebuild_events_per_second": (events as f64 / seconds).round(),
        "rebuild_disk_bytes": disk,
        "rebuild_disk_per_logical": rounded(disk as f64 / logical as f64),
        "rebuild_resident_peak_bytes": resident,
    }))
}

/// The timeline alone.
async fn timeline(directory: &Path, events: u64) -> anyhow::Result<Value> {
    let log = open(directory)?;
    let views = directory.join("timeline");
    let options = Options { views: vec![registered::<Timeline>()], ..Options::default() };
    let start = Instant::now();
    let engine = Engine::start(log, &views, options).await?;
    reached(&engine).await?;
    let seconds = start.elapsed().as_secs_f64();
    let rows = tokio::task::spawn_blocking({
        let reader = engine.reader::<Timeline>();
        move || {
            let mut rows = 0u64;
            reader.snapshot()?.visit(&Scan::all(), |_| {
                rows += 1;
                true
            })?;
            Ok::<_, cx_projections::ReadError>(rows)
        }
    });
    let rows = rows.await??;
    engine.shutdown().await;
    std::fs::remove_dir_all(&views)?;
    Ok(json!({
        "timeline_entries_per_second": (events as f64 / seconds).round(),
        "timeline_rows": rows,
    }))
}

/// One event at a time: from the durable append to the rows of every view.
async fn live(directory: &Path) -> anyhow::Result<Value> {
    let log = open(directory)?;
    let engine = Engine::start(log.clone(), &directory.join("views"), Options::default()).await?;
    reached(&engine).await?;
    let mut history = History::new(1_000_000);
    history.start_at(0x11FE);
    let mut times = Vec::new();
    for _ in 0..500 {
        let append = raw(&mut history)?;
        let start = Instant::now();
        let appended = log.append(append).await?;
        let durable = start.elapsed();
        engine.at_least(appended.position, &[], PATIENCE).await?;
        times.push(
            (start.elapsed().checked_sub(durable).context("time goes on")?).as_micros() as u64
        );
    }
    engine.shutdown().await;
    let latencies = Latencies::of(times);
    Ok(json!({
        "live_p50_microseconds_from_durable_to_visible": latencies.at(0.5),
        "live_p99_microseconds_from_durable_to_visible": latencies.at(0.99),
    }))
}

/// How long reads take, sorted.
struct Latencies(Vec<u64>);

struct Measuring {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<u64>>,
}

impl Latencies {
    fn of(mut microseconds: Vec<u64>) -> Self {
        microseconds.sort_unstable();
        Self(microseconds)
    }

    /// Reads a page of the timeline every millisecond until told to end.
    fn measure(reader: Reader<Timeline>) -> Measuring {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut times = Vec::new();
            let mut after = None;
            while !stopped.load(Ordering::Relaxed) {
                let start = Instant::now();
                if let Ok(snapshot) = reader.snapshot() {
                    let mut scan = Scan::all().limit(2);
                    if let Some(key) = &after {
                        scan = scan.after(key);
                    }
                    let rows = snapshot.scan(&scan).unwrap_or_default();
                    after = rows.last().map(|row| row.key);
                }
                times.push(start.elapsed().as_micros() as u64);
                std::thread::sleep(Duration::from_millis(1));
            }
            times
        });
        Measuring { stop, thread }
    }

    fn at(&self, share: f64) -> u64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share) as usize).copied().unwrap_or(0)
    }
}

impl Measuring {
    fn end(self) -> Latencies {
        self.stop.store(true, Ordering::Relaxed);
        Latencies::of(self.thread.join().unwrap_or_default())
    }
}

/// A figure of `/proc/self/status`, in bytes; 0 where there is none.
fn memory(figure: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn rounded(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}
