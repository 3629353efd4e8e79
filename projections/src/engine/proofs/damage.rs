//! Directories that were damaged between two runs, or under one.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::views::Traffic;
use super::*;
use crate::engine::registered;
use crate::views::InteractionCounts;

fn views() -> Vec<Registered> {
    vec![registered::<InteractionCounts>(), registered::<Traffic>()]
}

/// The directory of the one generation of a view.
fn generation(directory: &Path, view: &str) -> PathBuf {
    let active = fs::read_to_string(directory.join(view).join("active")).unwrap();
    directory.join(view).join(active.lines().next().unwrap())
}

/// Opens damaged views and waits until they are right; answers with how often they were rebuilt.
async fn opened_and_right(ledger: &MemoryLedger, directory: &Path) -> u64 {
    let engine = start(ledger, directory, views()).await;
    let end = ledger.head().await.unwrap();
    // Every answer on the way is right for the position it gives, or an error.
    let mut before = Position::START;
    until(&engine, "the damaged view is whole again", async |engine| {
        if let Ok(snapshot) = engine.reader::<Traffic>().snapshot() {
            let at = snapshot.as_of();
            if let Ok(rows) = snapshot.scan(&crate::Scan::all()) {
                let contacts: i64 = rows.iter().map(|row| row.view.contacts).sum();
                assert_eq!(contacts, at.commit() as i64, "a wrong answer");
            }
        }
        let status = engine.status().await.unwrap();
        status.iter().all(|view| {
            view.events_behind == 0 && view.position == end && (view.verified || view.repairs > 0)
        })
    })
    .await;
    before = before.max(end);
    assert_eq!(before, end);
    for verdict in engine.verify().await.unwrap() {
        assert!(verdict.agrees(), "{verdict:?}");
    }
    let repairs = engine.status().await.unwrap().iter().map(|view| view.repairs).sum();
    engine.shutdown().await;
    repairs
}

/// A closed pair of views over a ledger.
async fn prepared() -> (MemoryLedger, tempfile::TempDir) {
    let ledger = MemoryLedger::new();
    let directory = tempfile::tempdir().unwrap();
    let last = append(&ledger, contacts(2_000)).await;
    let engine = start(&ledger, directory.path(), views()).await;
    engine.at_least(last, &[], PATIENCE).await.unwrap();
    engine.shutdown().await;
    (ledger, directory)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_directory_is_noticed_and_rebuilt() {
    let (ledger, directory) = prepared().await;
    fs::remove_dir_all(generation(directory.path(), "traffic").join("rows")).unwrap();
    assert_eq!(opened_and_right(&ledger, directory.path()).await, 1);
    assert_eq!(opened_and_right(&ledger, directory.path()).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_database_is_noticed_and_rebuilt() {
    let (ledger, directory) = prepared().await;
    let database = |directory: &Path| generation(directory, "traffic").join("rows").join("db");
    let length = fs::metadata(database(directory.path())).unwrap().len();
    for keep in [0, 100, length / 3, length / 2] {
        let file = fs::OpenOptions::new().write(true).open(database(directory.path())).unwrap();
        file.set_len(keep).unwrap();
        drop(file);
        assert!(opened_and_right(&ledger, directory.path()).await >= 1, "cut to {keep}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bits_and_zeroed_pages_are_noticed_or_harmless() {
    let (ledger, directory) = prepared().await;
    let mut rebuilt = 0;
    for round in 0..16u64 {
        let database = generation(directory.path(), "traffic").join("rows").join("db");
        let mut file = fs::OpenOptions::new().read(true).write(true).open(database).unwrap();
        let length = file.metadata().unwrap().len();
        let place = (round * 7_919 + 13) * 97 % length.min(40_000);
        let mut byte = [0];
        file.seek(SeekFrom::Start(place)).unwrap();
        file.read_exact(&mut byte).unwrap();
        file.seek(SeekFrom::Start(place)).unwrap();
        if round % 4 == 3 {
            let end = (place + 4_096).min(length);
            file.write_all(&vec![0; (end - place) as usize]).unwrap();
        } else {
            file.write_all(&[byte[0] ^ 0x10]).unwrap();
        }
        drop(file);
        rebuilt += opened_and_right(&ledger, directory.path()).await;
    }
    assert!(rebuilt > 0, "some of the damage must have been seen");
}

fn remove_a_row(generation: &Path) {
    use crate::store::{Store, Stretch};
    let store = crate::store::disk::DiskStore::open(generation, 1 << 20).unwrap();
    let mut first = None;
    store
        .scan(&Stretch::under(&[1]), &mut |key, _| {
            first = Some(key.to_vec());
            Ok(false)
        })
        .unwrap();
    store.stage(vec![(first.unwrap(), None)]).unwrap();
    store.apply().unwrap();
    store.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_vanished_without_a_trace_are_missed_by_the_root() {
    let (ledger, directory) = prepared().await;
    let path = generation(directory.path(), "traffic");
    remove_a_row(&path);
    let engine = start(&ledger, directory.path(), views()).await;
    until(&engine, "the missing row is noticed", async |engine| {
        let status = engine.status().await.unwrap();
        status[1].repairs == 1 && status[1].events_behind == 0
    })
    .await;
    engine.shutdown().await;
    // After a loss of power the rows are read before the first answer.
    remove_a_row(&path);
    fs::write(path.join("mark"), "open another-boot").unwrap();
    assert_eq!(opened_and_right(&ledger, directory.path()).await, 1);
    let aside = fs::read_dir(directory.path().join("traffic")).unwrap().flatten();
    assert!(aside.count() >= 2, "the damaged directory was put aside");
}
