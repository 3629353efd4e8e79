//! What is written throughout, and what a follower is told of it.

use std::collections::HashMap;
use std::time::Duration;

use cx_ledger::{Append, Book, Expected, Follow, KurrentLedger, Ledger, RawNewEvent};
use cx_model::{NewEvent, Position, StreamName};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

pub fn stream(n: u64) -> StreamName {
    StreamName::of("case", Uuid::from_u64_pair(7, n))
}

/// An event with its place in a stream, whatever is there.
pub fn counted(stream_number: u64, place: u64) -> Append {
    let event = RawNewEvent {
        id: Uuid::from_u64_pair(stream_number, place + 1),
        event_type: "Counted".into(),
        data: format!(r#"{{"n":{place}}}"#).into(),
        metadata: "{}".into(),
    };
    Append { stream: stream(stream_number), expected: Expected::Any, events: vec![event] }
}

async fn rest(milliseconds: u64) {
    sleep_until(Instant::now() + Duration::from_millis(milliseconds)).await;
}

/// Appends one event after the other until it is told to stop; how many there are.
pub async fn write(ledger: KurrentLedger, n: u64, stop: watch::Receiver<bool>) -> u64 {
    let mut count = 0;
    while !*stop.borrow() {
        let expected = match (n % 2, count) {
            (0, _) => Expected::Any,
            (_, 0) => Expected::NoStream,
            (_, count) => Expected::Revision(count - 1),
        };
        let append = Append { expected, ..counted(n, count) };
        let appended = ledger.append(append).await.unwrap();
        assert_eq!((appended.revision, appended.repeated), (Some(count), false));
        count += 1;
        rest(3).await;
    }
    count
}

/// Tells a history of every kind of event, for the views; how many events there are.
pub async fn tell(book: Book, stop: watch::Receiver<bool>) -> u64 {
    let mut count = 0;
    for recorded in cx_model::canonical::history() {
        if *stop.borrow() {
            break;
        }
        let event =
            NewEvent { id: recorded.id, envelope: recorded.envelope, event: recorded.event };
        let appended = book.append(recorded.stream, Expected::Any, vec![event]).await.unwrap();
        assert!(!appended.repeated);
        count += 1;
        rest(20).await;
    }
    count
}

/// Everything that a follower was told, checked as it comes.
pub struct Told {
    follow: Box<dyn Follow>,
    pub next: HashMap<StreamName, u64>,
    pub ordinal: u64,
    position: Position,
}

impl Told {
    pub fn of(ledger: &KurrentLedger) -> Self {
        let follow = ledger.follow(Position::START);
        Self { follow, next: HashMap::new(), ordinal: 0, position: Position::START }
    }

    /// Hears until this position was told.
    pub async fn until(&mut self, position: Position) {
        while self.position < position {
            for event in self.follow.next(100).await.unwrap() {
                let next = self.next.entry(event.stream).or_default();
                assert_eq!(event.revision, *next, "an event was lost or came twice");
                *next += 1;
                self.ordinal += 1;
                assert_eq!(event.ordinal, self.ordinal);
                assert!(event.position > self.position);
                self.position = event.position;
            }
        }
    }
}
