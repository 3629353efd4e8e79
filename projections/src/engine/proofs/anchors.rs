//! Views beside a ledger that they were not folded from: an older backup was restored, or the
//! ledger is another one.

use std::fs;

use cx_ledger::{Clock, EmbeddedLog};
use jiff::Timestamp;

use super::views::{CountingOnes, CountingTwos, Traffic};
use super::*;
use crate::engine::{Pasts, ReadError, registered};

/// A ledger of these ids, all recorded at one moment.
async fn ledger(ids: impl IntoIterator<Item = u128>, recorded: i64) -> MemoryLedger {
    let recorded = Timestamp::from_second(recorded).unwrap();
    let ledger = MemoryLedger::with_clock(Clock::new(move || recorded));
    let ids: Vec<u128> = ids.into_iter().collect();
    let mut ids_left = ids.iter();
    append_as(&ledger, contacts(ids.len()), || *ids_left.next().unwrap()).await;
    ledger
}

fn views() -> Vec<Registered> {
    vec![registered::<Traffic>()]
}

/// Views of a ledger, closed.
async fn folded(ledger: &MemoryLedger) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let engine = start(ledger, directory.path(), views()).await;
    engine.at_least(ledger.head().await.unwrap(), &[], PATIENCE).await.unwrap();
    engine.shutdown().await;
    directory
}

/// Opens the views beside a ledger; every answer is right for the position it gives. Answers with
/// why they were made anew, if they were.
async fn opened(ledger: &MemoryLedger, directory: &Path) -> Option<String> {
    let engine = start(ledger, directory, views()).await;
    let end = ledger.head().await.unwrap();
    until(&engine, "the views are at the end", async |engine| {
        let reader = engine.reader::<Traffic>();
        let Ok(snapshot) = reader.snapshot() else { return false };
        let rows = snapshot.scan(&crate::Scan::all()).unwrap();
        let contacts: i64 = rows.iter().map(|row| row.view.contacts).sum();
        assert_eq!(contacts, snapshot.as_of().commit() as i64, "a wrong answer");
        assert!(snapshot.as_of() <= end, "an answer from beyond the ledger");
        snapshot.as_of() == end
    })
    .await;
    assert!(engine.verify().await.unwrap().iter().all(super::super::Verdict::agrees));
    let status = engine.status().await.unwrap().remove(0);
    assert_eq!(status.repairs, u64::from(status.last_repair.is_some()));
    engine.shutdown().await;
    status.last_repair
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_of_a_longer_ledger_are_put_aside_and_made_anew() {
    let directory = folded(&ledger(1..=100, 0).await).await;
    let restored = ledger(1..=60, 0).await;
    let said = opened(&restored, directory.path()).await.expect("the views are not the ledger's");
    assert!(said.contains("event 100") && said.contains("ends with event 60"), "{said}");
    assert_eq!(opened(&restored, directory.path()).await, None, "they are now");
    assert!(opened(&MemoryLedger::new(), directory.path()).await.is_some(), "a new ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_of_a_ledger_with_another_event_at_their_head_are_put_aside_and_made_anew() {
    let shared = || 1..=60u128;
    // Restored and gone on: with other events, with the same ones taken again, or shorter by one.
    let others = ledger(shared().chain(1_061..=1_100), 0).await;
    let again = ledger(1..=100, 1).await;
    let ahead = ledger(shared().chain(1_061..=1_130), 0).await;
    for restored in [others, again, ahead] {
        let directory = folded(&ledger(1..=100, 0).await).await;
        let said = opened(&restored, directory.path()).await.expect("another event is at the head");
        assert!(said.contains("position 100"), "{said}");
        assert_eq!(opened(&restored, directory.path()).await, None, "they are now");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_of_the_same_ledger_are_kept_however_it_grows() {
    let directory = folded(&ledger(1..=100, 0).await).await;
    assert_eq!(opened(&ledger(1..=100, 0).await, directory.path()).await, None);
    assert_eq!(opened(&ledger(1..=170, 0).await, directory.path()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reason_lies_with_what_was_put_aside() {
    let directory = folded(&ledger(1..=100, 0).await).await;
    let view = directory.path().join("traffic");
    // A directory in the way of the pointer file keeps what was put aside from being removed.
    fs::create_dir(view.join("active.new")).unwrap();
    fs::remove_file(view.join("active")).unwrap();
    let engine = start(&ledger(1..=60, 0).await, directory.path(), views()).await;
    let aside = fs::read_dir(&view).unwrap().flatten();
    let aside = aside.map(|entry| entry.path().join("reason")).find(|reason| reason.exists());
    let said = fs::read_to_string(aside.expect("it was put aside")).unwrap();
    assert!(said.contains("older backup"), "{said}");
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_generation_of_another_ledger_is_not_served_meanwhile() {
    let longer = ledger(1..=370, 0).await;
    let directory = tempfile::tempdir().unwrap();
    let active = directory.path().join("counting/active");
    let engine = start(&longer, directory.path(), vec![registered::<CountingOnes>()]).await;
    until(&engine, "it is served", async |_| active.exists()).await;
    engine.shutdown().await;
    let held = Arc::new(super::generations::held::Held(ledger(1..=37, 0).await));
    let options = Options { views: vec![registered::<CountingTwos>()], ..Options::default() };
    let engine = Engine::start(held, directory.path(), options).await.unwrap();
    let error = engine.reader::<CountingTwos>().snapshot().err();
    assert!(matches!(error, Some(ReadError::Rebuilding { view: "counting" })), "{error:?}");
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_as_they_stood_in_another_ledger_are_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let fold = async |ledger: MemoryLedger| {
        let pasts = Pasts::new(Arc::new(ledger), directory.path());
        let at = pasts.fold(Position::new(20)).await.unwrap();
        let (_, engine) = pasts.engine(at).await.unwrap().unwrap();
        engine.at_least(at, &[], PATIENCE).await.unwrap();
        let repaired = engine.status().await.unwrap().iter().map(|view| view.repairs).sum();
        drop(engine);
        pasts.shutdown().await;
        let repaired: u64 = repaired;
        repaired
    };
    assert_eq!(fold(ledger(1..=40, 0).await).await, 0);
    assert_eq!(fold(ledger(1..=30, 0).await).await, 0);
    assert_eq!(fold(ledger(101..=140, 0).await).await, crate::all_views().len() as u64);
}

/// Copies the files of a log that is closed, in place of what is there.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_put_back_to_an_older_copy_is_noticed_and_one_that_is_not_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, older) = (directory.path().join("ledger"), directory.path().join("older"));
    let views_of = directory.path().join("views");
    // Opens log and views, records some contacts while the views follow, closes both.
    let run = async |contacts_now: usize| {
        let (log, _) = EmbeddedLog::open(&ledger, cx_ledger::Options::default()).unwrap();
        let options = Options { views: views(), cache_bytes: 1 << 20, ..Options::default() };
        let engine = Engine::start(Arc::new(log.clone()), &views_of, options).await.unwrap();
        append(&log, contacts(contacts_now)).await;
        let end = log.head().await.unwrap();
        engine.at_least(end, &[], PATIENCE).await.unwrap();
        assert!(engine.verify().await.unwrap().iter().all(super::super::Verdict::agrees));
        let status = engine.status().await.unwrap().remove(0);
        assert_eq!((status.position, status.events_behind), (end, 0));
        engine.shutdown().await;
        status.repairs
    };
    assert_eq!(run(60).await, 0);
    copy(&ledger, &older);
    assert_eq!(run(40).await, 0, "what was followed live is what is read back");
    assert_eq!(run(0).await, 0);
    copy(&older, &ledger);
    assert_eq!(run(0).await, 1, "the views were ahead");
    assert_eq!(run(40).await, 0);
    copy(&older, &ledger);
    let (log, _) = EmbeddedLog::open(&ledger, cx_ledger::Options::default()).unwrap();
    append(&log, contacts(50)).await;
    drop(log);
    assert_eq!(run(0).await, 1, "another event stands where the views ended");
}
