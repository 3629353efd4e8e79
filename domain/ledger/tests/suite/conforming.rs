//! Every engine does what the port says.

use cx_ledger::conformance::{self, Engine};
use cx_ledger::{Clock, MemoryLedger};
use jiff::{SignedDuration, Timestamp};

/// A clock that jumps about, back as well as forward.
pub fn restless_clock() -> Clock {
    let calls = std::sync::atomic::AtomicI64::new(0);
    Clock::new(move || {
        let n = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        start + SignedDuration::from_micros(n + (n * 7919) % 13 - 6)
    })
}

#[tokio::test]
async fn the_memory_ledger_conforms() {
    for seed in 0..60 {
        let ledger = MemoryLedger::with_clock(restless_clock());
        conformance::operations(&ledger, Engine { atomic_many: true }, seed, 80).await;
    }
    conformance::limits(&MemoryLedger::new()).await;
}
