//! From a log to an event store and back.

use std::sync::Arc;

use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::{choose_cryptography, listen};
use cx_api::serve::Drain;
use cx_ledger::{Book, Entry, Expected, Foreign, MemoryLedger, Vault};
use tokio::net::TcpListener;

use super::*;
use crate::demo::story::Story;

async fn fill(side: &Side) {
    let book = Book::new(Arc::clone(&side.ledger), Arc::new(Vault::in_memory()));
    for (n, told) in Story::new(3).year(12).into_iter().enumerate() {
        side.time.set("2024-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap());
        let later = jiff::SignedDuration::from_micros(n as i64 * 1_001);
        side.time.set("2024-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap() + later);
        let entry =
            Entry { stream: told.stream, expected: Expected::Any, events: vec![told.event] };
        book.append_many(vec![entry]).await.unwrap();
    }
    let stream = cx_model::StreamName::new("a stream of others").unwrap();
    let foreign =
        Foreign { id: uuid::Uuid::from_u128(9), json: false, metadata: b"\xff\0".to_vec().into() };
    let event = foreign.mark(&stream, "Other".into(), b"\0\x01".to_vec().into());
    let append = Append { stream, expected: Expected::NoStream, events: vec![event] };
    side.ledger.append(append).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_goes_to_an_event_store_and_back_and_is_the_same() {
    choose_cryptography();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("esdb://{}?tls=false", listener.local_addr().unwrap());
    let stored = Arc::new(MemoryLedger::new());
    tokio::spawn(listen(Endpoint::free(stored, None, Drain::default()), listener, None));
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let first = Side::to_write(&path("first")).await.unwrap();
    fill(&first).await;
    let there = Side::to_write(&address).await.unwrap();
    let bar = ProgressBar::hidden();
    let copied = copy(&first, &there, &bar).await.unwrap();
    assert!(copied.appended > 200 && copied.there == 0, "{copied:?}");
    let again = copy(&first, &there, &bar).await.unwrap();
    assert_eq!((again.there, again.appended), (copied.appended, 0));
    let back = Side::to_write(&path("back")).await.unwrap();
    // The beginning is there already, as if a copy had been stopped.
    let begun = first.ledger.read_all(Position::START, Direction::Forwards, 100).await.unwrap();
    for together in groups(&back, begun) {
        append(&back, together).await.unwrap();
    }
    let from = Side::to_read(&address).await.unwrap();
    let copied_back = copy(&from, &back, &bar).await.unwrap();
    assert_eq!(
        (copied_back.there, copied_back.there + copied_back.appended),
        (100, copied.appended)
    );
    assert_eq!(copied_back.roots, copied.roots);
    let ours =
        first.ledger.read_all(Position::START, Direction::Forwards, usize::MAX).await.unwrap();
    let theirs =
        back.ledger.read_all(Position::START, Direction::Forwards, usize::MAX).await.unwrap();
    assert_eq!(ours, theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_not_copied_over_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (one, two) = (path("one"), path("two"));
    let one = Side::to_write(&one).await.unwrap();
    let two = Side::to_write(&two).await.unwrap();
    for side in [&one, &two] {
        let stream = cx_model::StreamName::new("free").unwrap();
        let event = RawNewEvent {
            id: uuid::Uuid::new_v4(),
            event_type: "T".into(),
            data: "{}".into(),
            metadata: "{}".into(),
        };
        let append = Append { stream, expected: Expected::NoStream, events: vec![event] };
        side.ledger.append(append).await.unwrap();
    }
    let error = copy(&one, &two, &ProgressBar::hidden()).await.unwrap_err();
    assert!(error.to_string().contains("empty ledger"), "{error}");
}
