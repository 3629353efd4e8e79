use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use cx_model::event::CustomerRegistered;
use cx_model::{Actor, CustomerKind, Envelope, NewEvent};
use jiff::Timestamp;

use super::*;
use crate::memory::MemoryLedger;
use crate::port::{Expected, Ledger};
use crate::vault::{KeySource, STORE_FILE, Vault};

const DAMAGED: [u8; 128] = [0x5a; 128];
const WIPED: [u8; 128] = [0; 128];

fn customer(number: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(number))
}

fn shared(keys: &Path) -> Vault {
    Vault::open_shared(keys, &KeySource::DataDirectory).unwrap()
}

fn book(ledger: &Arc<MemoryLedger>, vault: Vault) -> Book {
    Book::new(Arc::clone(ledger) as Arc<dyn Ledger>, Arc::new(vault))
}

async fn register(book: &Book, number: u128) {
    let name = Some("Somebody".to_owned().into());
    let actor = Actor::System { name: "test".into() };
    let event = NewEvent {
        id: Uuid::from_u128(number),
        envelope: Envelope::new(Timestamp::UNIX_EPOCH, actor),
        event: CustomerRegistered { kind: CustomerKind::Person, name }.into(),
    };
    book.append(customer(number).stream(), Expected::NoStream, vec![event]).await.unwrap();
}

async fn erase(book: &Book, number: u128) {
    let actor = Actor::System { name: "test".into() };
    book.erase(customer(number), "request", actor).await.unwrap();
}

fn overwrite(keys: &Path, slot: u64, bytes: [u8; 128]) {
    let mut file = std::fs::File::options().write(true).open(keys.join(STORE_FILE)).unwrap();
    file.seek(SeekFrom::Start(4096 + 128 * slot)).unwrap();
    file.write_all(&bytes).unwrap();
}

/// The values of a customer as whoever reads them gets them.
async fn read(book: &Book, number: u128) -> Result<(), VaultProblem> {
    let mut history = book.history(&customer(number).stream()).await.unwrap();
    book.open(&mut history[0]).map_err(|error| VaultProblem(error.to_string()))?;
    let Event::CustomerRegistered(event) = &history[0].event else { unreachable!() };
    assert!(event.name.as_ref().unwrap().clear().is_some(), "it reads as erased");
    Ok(())
}

#[derive(Debug)]
struct VaultProblem(String);

#[tokio::test]
async fn a_damaged_or_wiped_slot_is_one_customers_damage_and_stops_nobody() {
    for bytes in [DAMAGED, WIPED] {
        let keys = tempfile::tempdir().unwrap();
        let ledger = Arc::new(MemoryLedger::new());
        let writer = book(&ledger, shared(keys.path()));
        for number in 1..=3 {
            register(&writer, number).await;
        }
        drop(writer);
        overwrite(keys.path(), 1, bytes);
        let read_only = Vault::open_read_only(keys.path(), &KeySource::DataDirectory).unwrap();
        for vault in [shared(keys.path()), read_only] {
            let book = book(&ledger, vault);
            let review = book.review_keys(ReviewHow::default()).await.unwrap();
            assert_eq!((review.damaged, review.foreign, review.alive), (1, 0, 0));
            read(&book, 1).await.unwrap();
            read(&book, 3).await.unwrap();
            let refused = read(&book, 2).await.unwrap_err();
            assert!(refused.0.contains("damaged or missing"), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn values_of_other_keys_are_all_counted_and_passed_by_up_to_where_they_are_accepted() {
    let (mine, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ledger = Arc::new(MemoryLedger::new());
    let here = book(&ledger, shared(mine.path()));
    let there = book(&ledger, shared(theirs.path()));
    register(&here, 1).await;
    for number in 2..=3 {
        register(&there, number).await;
    }
    let to = |accepted| ReviewHow { repeat: true, accepted, ..ReviewHow::default() };
    let refused = here.review_keys(to(Position::new(2))).await.unwrap_err();
    assert!(refused.to_string().contains("CXLEDGER_ACCEPT_KEYS=3"), "{refused}");
    let BookError::ForeignKeys { first, last, values } = refused else { unreachable!() };
    assert_eq!((first, last, values), (Position::new(3), Position::new(3), 1));
    let refused = here.review_keys(to(Position::START)).await;
    let Err(BookError::ForeignKeys { first, last, values }) = refused else { unreachable!() };
    assert_eq!((first, last, values), (Position::new(2), Position::new(3), 2));
    let review = here.review_keys(to(last)).await.unwrap();
    assert_eq!((review.foreign, review.to.unwrap().position), (2, last));
    // Whoever is accepted up to there is not accepted behind it.
    register(&there, 4).await;
    let since = ReviewHow { since: review.to, ..to(last) };
    let refused = here.review_keys(since).await;
    assert!(matches!(refused, Err(BookError::ForeignKeys { values: 1, .. })), "{refused:?}");
}

#[tokio::test]
async fn no_number_that_somebody_makes_up_is_a_fault_of_the_file() {
    let keys = tempfile::tempdir().unwrap();
    let ledger = Arc::new(MemoryLedger::new());
    let book = book(&ledger, shared(keys.path()));
    register(&book, 1).await;
    let stream = customer(1).stream();
    let raw = book.ledger().read_stream(&stream, 0, Direction::Forwards, 1).await.unwrap();
    let mut recorded = decode(&raw[0]).unwrap();
    recorded.event.personal(&mut |field, value| {
        for key in ["999999", "18446744073709551615", "none"] {
            let mut sealed = value.sealed().unwrap().clone();
            sealed.key = key.to_owned();
            let place = Place { stream: &stream, event: raw[0].id, event_type: "x", field };
            let by = book.vault().sealed_by(&sealed, &place, false).unwrap();
            assert_eq!(by, SealedBy::OtherKeys, "{key}");
            let refused = book.vault().open_value(&sealed, &place).err();
            assert!(matches!(refused, Some(crate::vault::VaultError::NoKey { .. })), "{refused:?}");
        }
    });
}

#[tokio::test]
async fn an_erasure_since_the_keys_were_read_is_no_restore() {
    let keys = tempfile::tempdir().unwrap();
    let ledger = Arc::new(MemoryLedger::new());
    let node = book(&ledger, shared(keys.path()));
    register(&node, 1).await;
    let vault = Vault::open_read_only(keys.path(), &KeySource::DataDirectory).unwrap();
    let reader = book(&ledger, vault);
    erase(&node, 1).await;
    let review = reader.review_keys(ReviewHow::default()).await.unwrap();
    assert_eq!((review.alive, review.damaged, review.foreign), (0, 0, 0));
}
