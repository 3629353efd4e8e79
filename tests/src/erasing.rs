//! Half of the customers erased while views stand over their events: no byte of the whole data
//! directory keeps a mark, and roots and digests still verify.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cx_ledger::{Book, EmbeddedLog, Entry, Expected, KeySource, Vault};
use cx_model::event::{CaseOpened, CustomerRegistered, IdentifierAttached};
use cx_model::{
    Actor, CaseId, CaseKind, CustomerId, CustomerKind, Envelope, Event, NewEvent, Severity,
};
use cx_projections::views::Customer;
use cx_projections::{Engine, Options};
use uuid::Uuid;

const CUSTOMERS: u128 = 60;
const PATIENCE: Duration = Duration::from_mins(1);

fn customer(number: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(0xC000 + number))
}

fn actor() -> Actor {
    Actor::System { name: "test".into() }
}

fn registered(number: u128) -> Entry {
    let mark = |field: &str| format!("MARK-{number}-{field}-KRAM").into();
    let events: [Event; 3] = [
        CustomerRegistered { kind: CustomerKind::Person, name: Some(mark("name")) }.into(),
        IdentifierAttached { scheme: "email".into(), value: mark("mail"), unique: true }.into(),
        CaseOpened {
            case: CaseId(Uuid::from_u128(0xCA00 + number)),
            kind: CaseKind::Complaint,
            severity: Severity::High,
            subject: Some(mark("subject")),
            remedy_sought: None,
            touchpoint: None,
            channel: None,
            reference: None,
        }
        .into(),
    ];
    let envelope = || Envelope::new("2026-01-01T00:00:00Z".parse().unwrap(), actor());
    let new = |event| NewEvent { id: Uuid::new_v4(), envelope: envelope(), event };
    let events = events.into_iter().map(new).collect();
    Entry { stream: customer(number).stream(), expected: Expected::NoStream, events }
}

fn open(data: &Path) -> (Book, EmbeddedLog) {
    let (log, _) = EmbeddedLog::open(&data.join("ledger"), cx_ledger::Options::default()).unwrap();
    let keys = data.join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    let vault = Vault::open(&keys, &KeySource::DataDirectory).unwrap();
    (Book::new(Arc::new(log.clone()), Arc::new(vault)), log)
}

async fn caught_up(book: &Book, data: &Path) -> Engine {
    let ledger = Arc::clone(book.ledger());
    let head = ledger.head().await.unwrap();
    let engine = Engine::start(ledger, &data.join("views"), Options::default()).await.unwrap();
    engine.at_least(head, &[], PATIENCE).await.unwrap();
    engine
}

fn assert_no_marks(directory: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += assert_no_marks(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for mark in [b"MARK-".as_slice(), b"-KRAM"] {
            let found = bytes.windows(mark.len()).any(|window| window == mark);
            assert!(!found, "{} keeps a mark", path.display());
        }
        files += 1;
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_erasing_half_the_customers_nothing_of_theirs_is_left_and_everything_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let (book, log) = open(data);
    book.append_many((0..CUSTOMERS).map(registered).collect()).await.unwrap();
    let engine = caught_up(&book, data).await;
    for number in (0..CUSTOMERS).filter(|number| number % 2 == 1) {
        book.erase(customer(number), "request", actor()).await.unwrap();
    }
    let head = book.ledger().head().await.unwrap();
    engine.at_least(head, &[], PATIENCE).await.unwrap();
    engine.shutdown().await;
    drop((engine, book, log));

    let (book, log) = open(data);
    let engine = caught_up(&book, data).await;
    for verdict in engine.verify().await.unwrap() {
        assert!(verdict.agrees(), "{verdict:?}");
    }
    let reader = engine.reader::<Customer>();
    let snapshot = reader.snapshot().unwrap();
    for number in 0..CUSTOMERS {
        let row = snapshot.get(&customer(number)).unwrap().unwrap().view;
        assert_eq!((row.erased, row.cases), (number % 2 == 1, 1), "customer {number}");
    }
    drop(snapshot);
    engine.shutdown().await;
    assert_eq!(log.verify().unwrap().digest, log.head_digest().1);
    drop((book, log));
    assert!(assert_no_marks(data) > 20, "segments, keys and the views' files were read");
}
