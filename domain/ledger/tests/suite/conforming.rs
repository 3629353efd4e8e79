//! Every engine does what the port says.

use std::sync::Arc;

use cx_ledger::conformance::{self, Engine};
use cx_ledger::storage::FaultyDisk;
use cx_ledger::{Clock, Direction, EmbeddedLog, Ledger, MemoryLedger, Options, RawEvent};
use cx_model::{Position, StreamName};
use jiff::{SignedDuration, Timestamp};

use super::workload::filled;

/// What the engines of one machine do.
const HERE: Engine = Engine { atomic_many: true, ids_per_stream: false };

/// A clock that jumps about, back as well as forward.
pub fn restless_clock() -> Clock {
    let calls = std::sync::atomic::AtomicI64::new(0);
    Clock::new(move || {
        let n = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        start + SignedDuration::from_micros(n + (n * 7919) % 13 - 6)
    })
}

fn small(segment_bytes: u64) -> Options {
    Options { segment_bytes, first_segment_bytes: 4096, clock: restless_clock() }
}

#[tokio::test]
async fn the_memory_ledger_conforms() {
    for seed in 0..60 {
        let ledger = MemoryLedger::with_clock(restless_clock());
        conformance::operations(&ledger, HERE, seed, 80).await;
    }
    conformance::limits(&MemoryLedger::new()).await;
}

#[tokio::test]
async fn the_embedded_log_conforms_on_one_thread() {
    for seed in 0..40 {
        let storage = Arc::new(FaultyDisk::new());
        let (log, _) = EmbeddedLog::open_storage(storage, small(8192 << (seed % 4))).unwrap();
        conformance::operations(&log, HERE, seed, 80).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_log_conforms_on_a_real_disk() {
    for seed in 100..106 {
        let directory = tempfile::tempdir().unwrap();
        let (log, _) = EmbeddedLog::open(directory.path(), small(1 << 16)).unwrap();
        conformance::operations(&log, HERE, seed, 60).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = EmbeddedLog::open(directory.path(), Options::default()).unwrap();
    conformance::limits(&log).await;
    let head = log.head().await.unwrap();
    drop(log);
    let (log, report) = EmbeddedLog::open(directory.path(), Options::default()).unwrap();
    assert_eq!(log.head().await.unwrap(), head);
    assert!(report.was_clean, "{report:?}");
}

/// Everything in one direction, in steps of so many events and bytes. A step gives as much as was
/// asked for, or stops with the read that brought it over its bytes.
async fn in_steps(
    log: &EmbeddedLog,
    stream: Option<&StreamName>,
    direction: Direction,
    (limit, bytes): (usize, u64),
) -> Vec<RawEvent> {
    let backwards = direction == Direction::Backwards;
    let (mut found, mut place) = (Vec::new(), if backwards { u64::MAX } else { 0 });
    loop {
        let step = match stream {
            Some(stream) => log.read_stream_within(stream, place, direction, limit, bytes).await,
            None => log.read_all_within(Position::new(place), direction, limit, bytes).await,
        };
        let step = step.unwrap();
        let Some(last) = step.last() else { return found };
        let sum: usize = step.iter().map(|event| event.data.len() + event.metadata.len()).sum();
        // An append of the workload has at most 20 events of at most 3000 bytes.
        let most = bytes.saturating_add(20 * 3_010 + (64 << 10));
        assert!(step.len() <= limit && (sum as u64) < most, "{sum} of {bytes}");
        let at = if stream.is_some() { last.revision } else { last.position.commit() };
        found.extend(step);
        place = match (stream, backwards) {
            (None, false) => at,
            (Some(_), false) => at + 1,
            (_, true) if at == 0 => return found,
            (_, true) => at - 1,
        };
    }
}

#[tokio::test]
async fn reads_that_stop_at_their_bytes_give_the_same_events_in_more_steps() {
    let (disk, _) = filled(7, 400);
    let (log, _) = EmbeddedLog::open_storage(Arc::new(disk), small(8192)).unwrap();
    let all = log.read_all_blocking(Position::START, Direction::Forwards, usize::MAX).unwrap();
    assert!(all.len() > 600, "{}", all.len());
    let mut streams: Vec<_> = all.iter().map(|event| Some(event.stream.clone())).collect();
    streams.sort();
    streams.dedup();
    streams.push(None);
    for stream in &streams {
        let wanted = |event: &&RawEvent| stream.as_ref().is_none_or(|one| event.stream == *one);
        let mut wanted: Vec<_> = all.iter().filter(wanted).cloned().collect();
        for direction in [Direction::Forwards, Direction::Backwards] {
            for step in [(1, 1), (7, u64::MAX), (usize::MAX, 1), (usize::MAX, 5000), (50, 900)] {
                let found = in_steps(&log, stream.as_ref(), direction, step).await;
                assert!(found == wanted, "{stream:?} {direction:?} {step:?}");
            }
            wanted.reverse();
        }
    }
}
