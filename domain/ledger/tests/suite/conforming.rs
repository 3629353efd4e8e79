//! Every engine does what the port says.

use std::sync::Arc;

use cx_ledger::conformance::{self, Engine};
use cx_ledger::storage::FaultyDisk;
use cx_ledger::{Clock, EmbeddedLog, Ledger, MemoryLedger, Options};
use jiff::{SignedDuration, Timestamp};

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
