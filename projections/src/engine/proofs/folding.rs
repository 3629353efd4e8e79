//! Batches, duplicates, restarts, sums, poison.

use cx_model::{Channel, Event, InteractionId, Position, event::InteractionVoided};
use uuid::Uuid;

use super::views::{Touchy, Traffic};
use super::*;
use crate::engine::{State, registered};
use crate::fold::Fold;
use crate::store::disk::DiskStore;
use crate::views::InteractionCounts;

/// Contacts of which every fifth is voided later.
fn with_voidings(count: u128) -> Vec<Happening> {
    let mut happenings = Vec::new();
    for n in 0..count {
        let mut contact = interaction(Channel::ALL[n as usize % 4]);
        contact.interaction = InteractionId(Uuid::from_u128(n));
        contact.duration_seconds = Some(n as u32);
        happenings.push(happened(customer(n % 7), contact));
        if n >= 10 && n % 5 == 0 {
            let interaction = InteractionId(Uuid::from_u128(n - 10));
            let voided = InteractionVoided { interaction, reason: "wrong".into() };
            happenings.push(happened(customer((n - 10) % 7), voided));
        }
    }
    happenings
}

#[test]
fn a_sum_over_customers_takes_back_what_was_voided() {
    crate::given::given::<Traffic>(with_voidings(16))
        .then(Channel::Phone, Traffic { contacts: 3, seconds: 4 + 8 + 12 })
        .then(Channel::Web, Traffic { contacts: 3, seconds: 1 + 9 + 13 });
    crate::given::laws::<Traffic>();
}

#[test]
fn rows_on_disk_are_the_rows_in_memory_in_any_batching_and_across_restarts() {
    let events = recorded(with_voidings(300));
    let mut memory = Fold::<Traffic>::new();
    memory.fold(&events);
    for size in [7, 100, events.len()] {
        let directory = tempfile::tempdir().unwrap();
        for batch in events.chunks(size) {
            // A new process for every batch.
            let store = DiskStore::open(directory.path(), 1 << 20).unwrap();
            let mut disk = Fold::<Traffic>::over(Arc::new(store)).unwrap();
            disk.fold(batch);
            disk.fold(batch);
        }
        let store = DiskStore::open(directory.path(), 1 << 20).unwrap();
        let disk = Fold::<Traffic>::over(Arc::new(store)).unwrap();
        assert_eq!(disk.head(), memory.head());
        assert_eq!(disk.rows(), memory.rows());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_follow_the_ledger_and_go_on_after_a_restart() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let views = || vec![registered::<InteractionCounts>(), registered::<Traffic>()];
    append(&ledger, contacts(2_500)).await;
    for round in 0..3u64 {
        let engine = start(&ledger, directory.path(), views()).await;
        let position = append(&ledger, contacts(300)).await;
        engine.at_least(position, &[], PATIENCE).await.unwrap();
        let reader = engine.reader::<Traffic>();
        let contacts: i64 = {
            let snapshot = reader.snapshot().unwrap();
            assert!(snapshot.as_of() >= position);
            let rows = snapshot.scan(&crate::Scan::all()).unwrap();
            rows.iter().map(|row| row.view.contacts).sum()
        };
        assert_eq!(contacts, 2_500 + 300 * (round as i64 + 1));
        for verdict in engine.verify().await.unwrap() {
            assert!(verdict.agrees(), "{verdict:?}");
        }
        engine.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_for_too_early_is_stale_and_names_both_positions() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let engine = start(&ledger, directory.path(), vec![registered::<Traffic>()]).await;
    let position = append(&ledger, contacts(3)).await;
    engine.at_least(position, &["traffic"], PATIENCE).await.unwrap();
    let stale =
        engine.at_least(Position::new(4), &[], Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(
        (stale.view, stale.required, stale.current),
        ("traffic", Position::new(4), position)
    );
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_fold_stalls_its_lane_and_nothing_else() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let views = || vec![registered::<Touchy>(), registered::<InteractionCounts>()];
    let contact = |who, kind: &str| {
        let mut contact = interaction(Channel::Phone);
        contact.kind = kind.into();
        happened(customer(who), contact)
    };
    append(&ledger, (0..1_200).map(|n| contact(n % 3, "call")).collect()).await;
    let poison = append(&ledger, vec![contact(1, "poison")]).await;
    append(&ledger, (0..600).map(|n| contact(n % 3, "call")).collect()).await;
    let engine = start(&ledger, directory.path(), views()).await;
    let last = append(&ledger, vec![contact(1, "call"), contact(2, "poison")]).await;
    engine.at_least(last, &[], PATIENCE).await.unwrap();
    let seen = |engine: &Engine| {
        let reader = engine.reader::<Touchy>();
        let rows = reader.snapshot().unwrap().scan(&crate::Scan::all()).unwrap();
        rows.iter().map(|row| (row.view.count, row.stalled_at)).collect::<Vec<_>>()
    };
    let expected = [(600, None), (400, Some(poison)), (600, Some(last))];
    assert_eq!(seen(&engine), expected);
    assert!(engine.verify().await.unwrap().iter().all(super::super::Verdict::agrees));
    let status = engine.status().await.unwrap();
    assert_eq!(status[0].stalls.len(), 2);
    assert_eq!(status[0].stalls[0].event_type, "InteractionRecorded");
    assert_eq!(status[0].events_behind, 0);
    assert_eq!(status[1].stalls, []);
    engine.shutdown().await;
    // The code is the same, so a restart retries nothing.
    let engine = start(&ledger, directory.path(), views()).await;
    assert_eq!(seen(&engine), expected);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_read_is_counted_and_passed() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let broken = RawNewEvent {
        id: Uuid::from_u128(u128::MAX),
        event_type: "InteractionRecorded".into(),
        data: "{\"secret\":1}".into(),
        metadata: "{}".into(),
    };
    let stream = customer(1).stream();
    ledger.append(Append { stream, expected: Expected::Any, events: vec![broken] }).await.unwrap();
    let last = append(&ledger, contacts(5)).await;
    let engine = start(&ledger, directory.path(), vec![registered::<Traffic>()]).await;
    engine.at_least(last, &[], PATIENCE).await.unwrap();
    until(&engine, "the count of unreadable events", async |engine| {
        let status = engine.status().await.unwrap();
        status[0].undecodable == 1 && status[0].state == State::Live
    })
    .await;
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_explained_by_the_events_that_made_it() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let last = append(&ledger, with_voidings(700)).await;
    let views = vec![registered::<Traffic>(), registered::<Touchy>()];
    let engine = start(&ledger, directory.path(), views).await;
    engine.at_least(last, &[], PATIENCE).await.unwrap();
    // A sum: page by page through its evidence.
    let mut after = 0;
    let mut count = 0;
    let mut sum = Traffic::default();
    loop {
        let page = engine.explain_sum::<Traffic>(&Channel::Phone, after, 50).await.unwrap();
        for step in &page.steps {
            assert_eq!(step.before.as_ref(), Some(&sum), "at {}", step.position);
            assert_eq!(step.event.position, step.position);
            sum = step.after.clone().unwrap();
            after = step.ordinal;
            count += 1;
        }
        if !page.more {
            let row = page.row.unwrap();
            assert_eq!(row.view, sum);
            assert_eq!(row.provenance.count, count);
            break;
        }
    }
    assert!(count > 200);
    // A row of one customer: from that customer's stream.
    let page = engine.explain::<Touchy>(&customer(3), 0, 1_000).await.unwrap();
    assert_eq!(page.steps.len(), 100);
    assert_eq!(page.steps[0].before, None);
    assert_eq!(page.steps[99].after, page.row.map(|row| row.view));
    assert!(
        page.steps.iter().all(|step| matches!(step.event.event, Event::InteractionRecorded(_)))
    );
    // As it stood in the middle.
    let middle = page.steps[49].position;
    let fold = engine.fold_stream::<Touchy>(&customer(3).stream(), middle).await.unwrap();
    assert_eq!(fold.get(&customer(3)), Some(Touchy { count: 50 }));
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_as_they_stood_are_folded_up_to_a_position_and_no_further() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    append(&ledger, contacts(3_000)).await;
    let until = Some(Position::new(1_234));
    let options = Options { views: vec![registered::<Traffic>()], until, ..Options::default() };
    let engine = Engine::start(Arc::new(ledger.clone()), directory.path(), options).await.unwrap();
    engine.at_least(Position::new(1_234), &[], PATIENCE).await.unwrap();
    append(&ledger, contacts(10)).await;
    let stale = engine.at_least(Position::new(1_235), &[], Duration::from_millis(30)).await;
    assert_eq!(stale.unwrap_err().current, Position::new(1_234));
    engine.shutdown().await;
}
