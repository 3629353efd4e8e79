//! What is read, how much of it waits, and what need not be read again.

use std::sync::Arc;
use std::time::Duration;

use cx_ledger::kurrent::Marks;
use cx_ledger::{
    Append, Direction, Expected, KurrentLedger, KurrentSettings, Ledger, MemoryLedger, RawNewEvent,
};
use cx_model::{Position, StreamName};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::proxy::Proxy;
use super::server::Server;

/// So many events of so many bytes, in several streams.
pub async fn fill(ledger: &MemoryLedger, from: u64, count: u64, bytes: usize) {
    let data = bytes::Bytes::from(format!("\"{}\"", "x".repeat(bytes)));
    for n in (from..from + count).step_by(100) {
        let event = |n: u64| RawNewEvent {
            id: Uuid::from_u64_pair(bytes as u64, n),
            event_type: "Counted".into(),
            data: data.clone(),
            metadata: "{}".into(),
        };
        let events = (n..(n + 100).min(from + count)).map(event).collect();
        let stream = StreamName::of("case", Uuid::from_u128(u128::from(n / 100 % 7)));
        ledger.append(Append { stream, expected: Expected::Any, events }).await.unwrap();
    }
}

async fn connect(proxy: &Proxy, marks: Option<&Marks>) -> KurrentLedger {
    let address = format!("esdb://{}?tls=false", proxy.address);
    let settings = KurrentSettings::parse(&address).unwrap();
    let settings = match marks {
        Some(marks) => settings.with_marks(marks.clone()),
        None => settings,
    };
    KurrentLedger::connect(settings).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_reads_only_what_came_since() {
    let stored = Arc::new(MemoryLedger::new());
    fill(&stored, 0, 10_000, 200).await;
    let server = Server::start(stored.clone());
    let directory = tempfile::tempdir().unwrap();
    let marks = Marks { path: directory.path().join("marks"), write: true };
    let first = Proxy::start(server.address).await;
    let ledger = connect(&first, Some(&marks)).await;
    assert_eq!(ledger.counted(), 10_000);
    drop(ledger);
    fill(&stored, 10_000, 300, 200).await;
    let second = Proxy::start(server.address).await;
    let ledger = connect(&second, Some(&marks)).await;
    assert_eq!(ledger.counted(), 10_300);
    let (all, rest) = (first.carried(), second.carried());
    assert!(rest * 3 < all, "{rest} bytes after {all}");
    // The numbers are the same as without marks.
    let plain = connect(&second, None).await;
    for position in [1, 255, 256, 4_096, 8_192, 8_193, 10_300] {
        let at = |ledger: &KurrentLedger| {
            let ledger = ledger.clone();
            async move { ledger.read_all(Position::new(position), Direction::Backwards, 1).await }
        };
        assert_eq!(at(&ledger).await.unwrap()[0], at(&plain).await.unwrap()[0]);
    }
    // Marks of one ledger say nothing of another.
    let other = Arc::new(MemoryLedger::new());
    fill(&other, 0, 9_000, 201).await;
    let server = Server::start(other);
    let proxy = Proxy::start(server.address).await;
    assert_eq!(connect(&proxy, Some(&marks)).await.counted(), 9_000);
    assert_eq!(connect(&proxy, Some(&marks)).await.counted(), 9_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_stops_reading_holds_little_however_much_there_is() {
    const EVENTS: u64 = 1_000;
    const SIZE: u64 = 64 << 10;
    let stored = Arc::new(MemoryLedger::new());
    fill(&stored, 0, EVENTS - 1, SIZE as usize).await;
    // A look at the head reads the last event.
    fill(&stored, 0, 1, 1).await;
    let server = Server::start(stored);
    let proxy = Proxy::start(server.address).await;
    let ledger = connect(&proxy, None).await;
    let mut follow = ledger.follow(Position::START);
    let mut next = 0;
    let mut most = 0;
    while next < EVENTS {
        for event in follow.next(400).await.unwrap() {
            next += 1;
            assert_eq!(event.ordinal, next);
        }
        if next < EVENTS && most == 0 {
            // Nothing more comes once the queues are full, but for looks at the head.
            let mut carried = 0;
            while proxy.carried() > carried + (2 * SIZE) {
                carried = proxy.carried();
                sleep_until(Instant::now() + Duration::from_millis(300)).await;
            }
            most = carried.saturating_sub(next * SIZE);
            assert!(most < 32 << 20, "{most} bytes wait");
        }
    }
    assert!(most > 0 && proxy.carried() >= (EVENTS - 1) * SIZE);
}
