//! Processes that are killed while they fold.

use std::process::{Command, Stdio};

use jiff::Timestamp;

use super::views::Traffic;
use super::*;
use crate::engine::registered;
use crate::views::InteractionCounts;

const DIRECTORY: &str = "CXLEDGER_KILLED_VIEWS";
const EVENTS: usize = 6_000;

fn views() -> Vec<Registered> {
    vec![registered::<InteractionCounts>(), registered::<Traffic>()]
}

/// A ledger as every process makes it: the same events at the same time under the same ids.
struct Made {
    ledger: MemoryLedger,
    numbers: std::ops::RangeFrom<u128>,
}

impl Made {
    fn new() -> Self {
        let ledger = MemoryLedger::with_clock(cx_ledger::Clock::new(|| Timestamp::UNIX_EPOCH));
        Self { ledger, numbers: 1.. }
    }

    async fn append(&mut self, happenings: &[Happening]) -> Position {
        let numbers = &mut self.numbers;
        let number = || numbers.next().expect("there are numbers without end");
        append_as(&self.ledger, happenings.to_vec(), number).await
    }
}

/// The process that is killed: it folds a ledger that grows, in many commits. Does nothing when it
/// is run as an ordinary test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_folds_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let mut made = Made::new();
    let options = Options { views: views(), overlay_bytes: Some(1 << 12), ..Options::default() };
    let happenings = contacts(EVENTS);
    made.append(&happenings[..EVENTS / 2]).await;
    let ledger = Arc::new(made.ledger.clone());
    let engine = Engine::start(ledger, Path::new(&directory), options).await.unwrap();
    for part in happenings[EVENTS / 2..].chunks(20) {
        let position = made.append(part).await;
        engine.at_least(position, &[], PATIENCE).await.unwrap();
    }
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_views_that_go_on_and_agree() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "engine::proofs::kills::a_process_that_folds_until_it_is_killed"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The moment of death differs from round to round; nothing depends on which it is.
        tokio::time::sleep(Duration::from_millis(120 + 90 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut made = Made::new();
    let last = made.append(&contacts(EVENTS)).await;
    let engine = start(&made.ledger, directory.path(), views()).await;
    engine.at_least(last, &[], PATIENCE).await.unwrap();
    for verdict in engine.verify().await.unwrap() {
        assert!(verdict.agrees(), "{verdict:?}");
    }
    until(&engine, "all rows are compared with their root", async |engine| {
        let status = engine.status().await.unwrap();
        status.iter().all(|view| view.verified || view.repairs > 0)
    })
    .await;
    let status = engine.status().await.unwrap();
    assert!(status.iter().all(|view| view.repairs == 0), "a kill is no damage: {status:?}");
    engine.shutdown().await;
}
