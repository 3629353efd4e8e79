//! New code, old rows.

use super::views::{CountingDown, CountingOnes, CountingTwos};
use super::*;
use crate::engine::{ReadError, registered};

pub(super) async fn served(engine: &Engine) {
    until(engine, "the new generation is served", async |engine| {
        engine.status().await.unwrap()[0].served_generation.is_none()
    })
    .await;
    let end = engine.ledger().head().await.unwrap();
    engine.at_least(end, &[], PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_fold_is_made_beside_the_old_rows_and_going_back_needs_no_rebuild() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    append(&ledger, contacts(3_700)).await;
    let engine = start(&ledger, directory.path(), vec![registered::<CountingOnes>()]).await;
    served(&engine).await;
    let row = |engine: &Engine| {
        let reader = engine.reader::<CountingOnes>();
        let row = reader.snapshot().unwrap().get(&customer(1)).unwrap();
        row.unwrap().view.count
    };
    assert_eq!(row(&engine), 100);
    let ones = engine.status().await.unwrap()[0].generation.clone();
    engine.shutdown().await;

    // The new code: it serves the old rows until its own are there.
    let engine = start(&ledger, directory.path(), vec![registered::<CountingTwos>()]).await;
    let reader = engine.reader::<CountingTwos>();
    let first = reader.snapshot().unwrap().get(&customer(1)).unwrap().unwrap().view.count;
    assert!([100, 200].contains(&first), "whole rows of one generation or the other: {first}");
    served(&engine).await;
    assert_eq!(reader.snapshot().unwrap().get(&customer(1)).unwrap().unwrap().view.count, 200);
    let twos = engine.status().await.unwrap()[0].generation.clone();
    assert_ne!(ones, twos);
    engine.shutdown().await;

    // Back to the old code: its rows are still there, and only new events are folded.
    append(&ledger, contacts(37)).await;
    let engine = start(&ledger, directory.path(), vec![registered::<CountingOnes>()]).await;
    let count = row(&engine);
    assert!(count == 100 || count == 101, "nothing is rebuilt: {count}");
    served(&engine).await;
    assert_eq!(row(&engine), 101);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_generation_is_served_for_as_long_as_the_new_one_is_made() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let last = append(&ledger, contacts(370)).await;
    let engine = start(&ledger, directory.path(), vec![registered::<CountingOnes>()]).await;
    served(&engine).await;
    engine.shutdown().await;
    // A ledger that answers about its end and hands out no events: the new generation stays empty.
    let held: Arc<dyn Ledger> = Arc::new(held::Held(ledger.clone()));
    let options = |views| Options { views, cache_bytes: 1 << 20, ..Options::default() };
    let engine =
        Engine::start(held.clone(), directory.path(), options(vec![registered::<CountingTwos>()]))
            .await
            .unwrap();
    let status = engine.status().await.unwrap().remove(0);
    assert!(status.served_generation.is_some());
    {
        let reader = engine.reader::<CountingTwos>();
        let snapshot = reader.snapshot().unwrap();
        assert_eq!(snapshot.as_of(), last);
        assert_eq!(snapshot.get(&customer(1)).unwrap().unwrap().view.count, 10);
    }
    engine.shutdown().await;
    // Rows of another shape are not shown as if they were today's.
    let engine = Engine::start(held, directory.path(), options(vec![registered::<CountingDown>()]))
        .await
        .unwrap();
    let error = engine.reader::<CountingDown>().snapshot().err();
    assert!(matches!(error, Some(ReadError::Rebuilding { view: "counting" })));
    engine.shutdown().await;
}

pub(super) mod held {
    use cx_ledger::*;
    use cx_model::{Position, StreamName};
    use futures::FutureExt;
    use futures::future::BoxFuture;

    /// A ledger whose reader never gets anywhere.
    pub(in crate::engine::proofs) struct Held(pub MemoryLedger);

    struct Nothing;

    impl Follow for Nothing {
        fn next(&mut self, _: usize) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
            std::future::pending().boxed()
        }
    }

    impl Ledger for Held {
        fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
            self.0.append(append)
        }
        fn append_many(
            &self,
            appends: Vec<Append>,
        ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
            self.0.append_many(appends)
        }
        fn read_stream<'a>(
            &'a self,
            stream: &'a StreamName,
            from: u64,
            direction: Direction,
            limit: usize,
        ) -> BoxFuture<'a, Result<Vec<RawEvent>, ReadError>> {
            self.0.read_stream(stream, from, direction, limit)
        }
        fn read_all(
            &self,
            from: Position,
            direction: Direction,
            limit: usize,
        ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
            match direction {
                Direction::Backwards => self.0.read_all(from, direction, limit),
                Direction::Forwards => std::future::ready(Ok(Vec::new())).boxed(),
            }
        }
        fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
            self.0.head()
        }
        fn position_at(&self, time: jiff::Timestamp) -> BoxFuture<'_, Result<Position, ReadError>> {
            self.0.position_at(time)
        }
        fn follow(&self, _: Position) -> Box<dyn Follow> {
            Box::new(Nothing)
        }
        fn health(&self) -> Health {
            self.0.health()
        }
    }
}
