//! The proof of erasure: marked personal values, half of the customers erased, every byte of the
//! data directory searched.

#![allow(clippy::unwrap_used)] // the helpers of a test fail by panicking, as the test does

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cx_ledger::{Book, EmbeddedLog, Entry, Expected, KeySource, Options, Vault};
use cx_model::event::{
    Answer, CaseOpened, CustomerRegistered, IdentifierAttached, ResponseSubmitted,
};
use cx_model::{
    Actor, AnswerValue, CaseKind, CustomerId, CustomerKind, Envelope, Event, NewEvent, Recorded,
    Severity,
};
use jiff::Timestamp;
use uuid::Uuid;

const CUSTOMERS: u128 = 200;

fn customer(number: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(0xC000 + number))
}

/// A mark that is found wherever it stands, in each field of a customer another one.
fn mark(number: u128, field: &str) -> String {
    format!("MARK-{number}-{field}-KRAM")
}

fn events_of(number: u128) -> Vec<NewEvent> {
    let marked = |field| mark(number, field).into();
    let answer =
        |question: &str, value| Answer { question: question.into(), touchpoint: None, value };
    let id = |kind: u128| Uuid::from_u128((kind << 64) | number);
    let events: [Event; 4] = [
        CustomerRegistered { kind: CustomerKind::Person, name: Some(marked("name")) }.into(),
        IdentifierAttached { scheme: "email".into(), value: marked("mail"), unique: true }.into(),
        CaseOpened {
            case: id(1).into(),
            kind: CaseKind::Complaint,
            severity: Severity::High,
            subject: Some(marked("subject")),
            remedy_sought: None,
            touchpoint: None,
            channel: None,
            reference: None,
        }
        .into(),
        ResponseSubmitted {
            response: id(2).into(),
            instrument: id(3).into(),
            answers: vec![
                answer("recommend", AnswerValue::Score(9)),
                answer("comment", AnswerValue::Text(marked("comment"))),
            ],
            weight_millionths: None,
            attributes: BTreeMap::default(),
            case: None,
            partial: false,
        }
        .into(),
    ];
    let actor = Actor::System { name: "test".into() };
    let new = |(n, event)| NewEvent {
        id: id(10 + n),
        envelope: Envelope::new(Timestamp::UNIX_EPOCH, actor.clone()),
        event,
    };
    (0_u128..).zip(events).map(new).collect()
}

fn open(directory: &Path) -> (Book, EmbeddedLog) {
    let options =
        Options { segment_bytes: 256 << 10, first_segment_bytes: 64 << 10, ..Options::default() };
    let (log, _) = EmbeddedLog::open(&directory.join("log"), options).unwrap();
    let vault = Vault::open(directory, &KeySource::DataDirectory).unwrap();
    (Book::new(Arc::new(log.clone()), Arc::new(vault)), log)
}

fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The personal values of an event that open, as text.
fn clear_values(event: &mut Recorded) -> Vec<String> {
    let mut values = Vec::new();
    event.event.personal(&mut |_, value| {
        let json = value.clear_json();
        values.extend(json.map(|json| serde_json::from_slice::<String>(&json).unwrap()));
    });
    values
}

async fn opened(book: &Book, number: u128) -> Vec<String> {
    let mut values = Vec::new();
    for mut event in book.history(&customer(number).stream()).await.unwrap() {
        book.open(&mut event).unwrap();
        values.extend(clear_values(&mut event));
    }
    values
}

#[tokio::test]
async fn no_byte_of_the_data_directory_keeps_a_mark_of_an_erased_customer() {
    let directory = tempfile::tempdir().unwrap();
    let (book, log) = open(directory.path());
    for start in (0..CUSTOMERS).step_by(50) {
        let entry = |number| Entry {
            stream: customer(number).stream(),
            expected: Expected::NoStream,
            events: events_of(number),
        };
        book.append_many((start..start + 50).map(entry).collect()).await.unwrap();
    }
    for number in 0..CUSTOMERS {
        book.claim("email", &mark(number, "mail")).await.unwrap();
    }
    let keys_before = std::fs::read(directory.path().join("vault.keys")).unwrap();
    let before = log.head_digest();
    let erased = |number: &u128| number % 2 == 1;
    for number in (0..CUSTOMERS).filter(erased) {
        let actor = Actor::System { name: "test".into() };
        book.erase(customer(number), "request", actor).await.unwrap();
    }
    drop((book, log));

    // The same again after a restart, so that nothing is answered from memory.
    let (book, log) = open(directory.path());
    let fields = ["name", "mail", "subject", "comment"];
    for number in 0..CUSTOMERS {
        let values = opened(&book, number).await;
        if erased(&number) {
            assert!(values.is_empty(), "customer {number} still opens");
        } else {
            assert_eq!(values, fields.map(|field| mark(number, field)));
        }
    }
    let verified = log.verify().unwrap();
    assert_eq!(verified.digest, log.head_digest().1);
    assert!(log.head_digest().0 > before.0);
    drop((book, log));

    let all = files(directory.path());
    assert!(all.len() >= 4, "the log's segments, the key store and the ledger key");
    let slots = keys_before[4096..].as_chunks::<128>().0;
    for (path, bytes) in &all {
        // All values are sealed, so not even the marks of the others are to be seen.
        assert!(!contains(bytes, b"MARK-"), "{} keeps a mark", path.display());
        assert!(!contains(bytes, b"-KRAM"), "{} keeps a mark", path.display());
    }
    // What had opened their values is gone from every file, and that of the others is not.
    let keys = &all.iter().find(|(path, _)| path.ends_with("vault.keys")).unwrap().1;
    let mut gone = 0;
    for slot in slots.iter().filter(|slot| slot[0] == 1) {
        let number = u128::from_be_bytes(slot[16..32].try_into().unwrap()) - 0xC000;
        let wrapped = &slot[56..104];
        if erased(&number) {
            assert!(all.iter().all(|(_, bytes)| !contains(bytes, wrapped)));
            gone += 1;
        } else {
            assert!(contains(keys, wrapped));
        }
    }
    assert_eq!(gone, CUSTOMERS / 2);
}

#[tokio::test]
async fn facts_of_the_erased_are_refused_and_their_claims_still_lead_to_them() {
    let directory = tempfile::tempdir().unwrap();
    let (book, log) = open(directory.path());
    let claim = book.claim("crm", "17").await.unwrap();
    let stream = claim.customer.stream();
    book.append(stream.clone(), Expected::Any, events_of(1)).await.unwrap();
    let actor = Actor::System { name: "test".into() };
    book.erase(claim.customer, "request", actor).await.unwrap();
    drop((book, log));
    let (book, _log) = open(directory.path());
    assert_eq!(book.holder("crm", "17").await.unwrap(), Some(claim.customer));
    let refused = book.append(stream, Expected::Any, events_of(2)).await;
    assert!(matches!(refused, Err(cx_ledger::BookError::Erased { .. })));
}
