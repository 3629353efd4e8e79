//! Views as they stood, and views made before they are served.

use super::views::{CountingDown, CountingOnes, CountingTwos};
use super::*;
use crate::engine::past::{fold_up_to, warm_these};
use crate::engine::{OpenError, Pasts, registered};

async fn served(ledger: &MemoryLedger, directory: &Path, view: Registered) {
    let engine = start(ledger, directory, vec![view]).await;
    let active = directory.join("counting/active");
    until(&engine, "the generation is served", async |engine| {
        let status = engine.status().await.unwrap().remove(0);
        let active = std::fs::read_to_string(&active).unwrap_or_default();
        active.lines().next() == Some(&status.generation)
    })
    .await;
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warmed_generation_outlives_what_others_serve_until_it_is_served_itself() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let end = append(&ledger, contacts(370)).await;
    served(&ledger, directory.path(), registered::<CountingDown>()).await;
    served(&ledger, directory.path(), registered::<CountingOnes>()).await;
    let warmed: Arc<dyn Ledger> = Arc::new(ledger.clone());
    let wanted = || vec![registered::<CountingTwos>()];
    let did = warm_these(warmed.clone(), directory.path(), wanted()).await.unwrap();
    assert_eq!((did.made, did.there, did.position), (vec!["counting"], vec![], end));
    let place = directory.path().join("counting").join(wanted()[0].generation());

    // The old program starts again, and looks after its directories.
    served(&ledger, directory.path(), registered::<CountingOnes>()).await;
    assert!(place.join("rows").exists());
    let did = warm_these(warmed, directory.path(), wanted()).await.unwrap();
    assert_eq!((did.made, did.there), (vec![], vec!["counting"]));

    // The new program serves what was made for it at once.
    let engine = start(&ledger, directory.path(), wanted()).await;
    let row = engine.reader::<CountingTwos>().snapshot().unwrap().get(&customer(1)).unwrap();
    assert_eq!(row.unwrap().view.count, 20);
    engine.shutdown().await;
    served(&ledger, directory.path(), registered::<CountingTwos>()).await;
    assert!(!place.join("awaited").exists());

    // From then on it goes the way of all generations.
    served(&ledger, directory.path(), registered::<CountingOnes>()).await;
    assert!(place.exists(), "it is the one before");
    served(&ledger, directory.path(), registered::<CountingDown>()).await;
    assert!(!place.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_rows_cannot_be_written_says_so_and_goes_on_later() {
    let ledger = MemoryLedger::new();
    let visit = |n| happened(customer(n), interaction(Channel::Web));
    let end = append(&ledger, (0..3000).map(visit).collect()).await;
    // A directory where a file is to be written stands for a disk that refuses: commits fail with
    // the first, the second lets everything pass but the last flush.
    for hurdle in ["redo.new", "flushed.new"] {
        let directory = tempfile::tempdir().unwrap();
        let views = || vec![registered::<CountingOnes>()];
        let hurdle = directory.path().join("counting").join(views()[0].generation()).join(hurdle);
        std::fs::create_dir_all(&hurdle).unwrap();
        let fold = async || {
            let options = Options { views: views(), until: Some(end), ..Options::default() };
            fold_up_to(Arc::new(ledger.clone()), directory.path(), options, end).await
        };
        let failed = tokio::time::timeout(PATIENCE, fold()).await.expect("it does not wait");
        assert!(
            matches!(failed, Err(OpenError::Unfinished { view: "counting", .. })),
            "{failed:?}"
        );
        std::fs::remove_dir(&hurdle).unwrap();
        fold().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn side_generations_make_room_for_each_other_and_come_back() {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for _ in 0..6 {
        kept.push(append(&ledger, contacts(1)).await);
    }
    let pasts = Pasts::new(Arc::new(ledger), directory.path());
    assert!(pasts.engine(kept[0]).await.unwrap().is_none());
    for at in &kept {
        assert_eq!(pasts.fold(*at).await.unwrap(), *at);
    }
    assert_eq!(pasts.kept(), kept);
    // Beyond the last event the views stand at it.
    let (at, last) = pasts.engine(Position::new(1 << 40)).await.unwrap().unwrap();
    assert_eq!(at, kept[5]);
    last.at_least(at, &[], PATIENCE).await.unwrap();
    for at in kept.iter().chain(&kept) {
        let (_, engine) = pasts.engine(*at).await.unwrap().unwrap();
        engine.at_least(*at, &[], PATIENCE).await.unwrap();
        assert_eq!(engine.lowest_head(), *at);
    }
    let (_, again) = pasts.engine(kept[5]).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&last, &again), "what is read stays open");
    pasts.shutdown().await;
}
