//! Three hundred faults and more between a ledger and its event store: nothing is lost, nothing comes
//! twice in a feed or a view, all is well soon after each, and no more is held at the end.
//!
//! A process of its own, so that what it holds can be told. The ledger waits as long as it does for
//! everybody.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "kurrent/cluster.rs"]
mod cluster;
#[path = "weather/faults.rs"]
mod faults;
#[path = "weather/holding.rs"]
mod holding;
#[path = "kurrent/proxy.rs"]
#[allow(dead_code)] // others count what it carries
mod proxy;
#[path = "kurrent/server.rs"]
#[allow(dead_code)] // others start one alone
mod server;
#[path = "weather/telling.rs"]
mod telling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cx_ledger::{Book, Direction, KurrentLedger, Ledger, Vault};
use cx_projections::{Engine, Options, all_views, fold_roots};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use faults::{KINDS, Nodes};
use holding::Holding;
use telling::{Told, counted, stream, tell, write};

/// How soon all is well after a fault.
const SOON: Duration = Duration::from_secs(2);
/// How many faults, of each kind as many.
const FAULTS: usize = 35 * KINDS.len();
/// What is held at the end is compared with what was held after so many.
const WARM: usize = FAULTS / 3;
/// Streams that are written to throughout.
const WRITERS: u64 = 3;
/// The stream of what is appended after each fault.
const MARKS: u64 = 99;

/// Views that follow the ledger, in a directory of their own.
async fn views(ledger: &KurrentLedger) -> (Engine, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { cache_bytes: 1 << 20, check_rows: false, ..Options::default() };
    let engine = Engine::start(Arc::new(ledger.clone()), directory.path(), options).await;
    (engine.unwrap(), directory)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_faults_lose_nothing_repeat_nothing_and_are_soon_over() {
    let mut nodes = Nodes::start().await;
    let ledger = nodes.ledger().await;
    let book = Book::new(Arc::new(ledger.clone()), Arc::new(Vault::in_memory()));
    let (engine, _directory) = views(&ledger).await;
    let (stop, stopped) = watch::channel(false);
    let writers: Vec<_> =
        (0..WRITERS).map(|n| tokio::spawn(write(ledger.clone(), n, stopped.clone()))).collect();
    let story = tokio::spawn(tell(book, stopped));
    let mut told = Told::of(&ledger);
    let mut slowest = BTreeMap::new();
    let mut held = None;
    for number in 0..FAULTS {
        let kind = KINDS[number % KINDS.len()];
        nodes.suffer(kind, number).await;
        let ended = Instant::now();
        let well = async {
            let mark = ledger.append(counted(MARKS, number as u64)).await.unwrap();
            told.until(mark.position).await;
            engine.at_least(mark.position, &[], SOON).await.unwrap();
        };
        let well = timeout(SOON, well).await;
        assert!(well.is_ok(), "fault {number}, {kind:?}: not well {SOON:?} after its end");
        let slowest: &mut Duration = slowest.entry(format!("{kind:?}")).or_default();
        *slowest = ended.elapsed().max(*slowest);
        if number == WARM {
            held = Some(Holding::now());
        }
    }
    println!("slowest recoveries {slowest:?}");
    Holding::now().assert_no_more_than(&held.unwrap());
    stop.send_replace(true);
    let mut written = vec![(MARKS, FAULTS as u64)];
    for (n, writer) in writers.into_iter().enumerate() {
        written.push((n as u64, writer.await.unwrap()));
    }
    let story = story.await.unwrap();
    let total: u64 = written.iter().map(|(_, count)| count).sum::<u64>() + story;
    println!("{total} events over {FAULTS} faults with {} clients", ledger.clients_built());
    check(&nodes, &ledger, &engine, told, &written, total).await;
    engine.shutdown().await;
}

/// Everything that was written stands once in the event store, in the feed and in every view.
async fn check(
    nodes: &Nodes,
    ledger: &KurrentLedger,
    engine: &Engine,
    mut told: Told,
    written: &[(u64, u64)],
    total: u64,
) {
    let head = ledger.head().await.unwrap();
    told.until(head).await;
    assert_eq!(told.ordinal, total);
    for (n, count) in written {
        let stream = stream(*n);
        let read = nodes.stored.read_stream(&stream, 0, Direction::Forwards, usize::MAX);
        let read: Vec<_> = read.await.unwrap().into_iter().map(|event| event.data).collect();
        let expected: Vec<_> =
            (0..*count).map(|place| counted(*n, place).events.remove(0).data).collect();
        assert!(read == expected, "stream {n} holds each event once and in order");
        assert_eq!(told.next.get(&stream).copied().unwrap_or(0), *count);
    }
    assert!(ledger.findings().is_empty(), "{:?}", ledger.findings());
    engine.at_least(head, &[], SOON).await.unwrap();
    // A node that came after all faults and met none.
    let roots = fold_roots(&nodes.ledger().await, head, &all_views()).await.unwrap();
    let verdicts = engine.verify().await.unwrap();
    assert_eq!(verdicts.len(), roots.len());
    for verdict in verdicts {
        let root = roots.iter().find(|(name, _)| *name == verdict.view).unwrap().1;
        assert_eq!(verdict.head.ordinal, total, "{}", verdict.view);
        assert_eq!(verdict.head.root, root, "{}: folded through the faults", verdict.view);
    }
}
