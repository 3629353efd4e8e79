//! A fixed history that reaches every event, for fingerprints of folds and for tests.
//!
//! It only grows, and only at its end: what stands in it never changes, so that a fold's
//! fingerprint changes only when the fold does. A new event type is told behind all that is told
//! already; a test fails until it has its place.

mod crowd;
mod story;

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use crate::envelope::{Actor, Envelope, Recorded, Source};
use crate::event::Event;
use crate::personal::{Personal, SealedValue};
use crate::position::Position;
use crate::stream::StreamName;
use crate::vocabulary::Precision;

/// The canonical history, in the order of the ledger. The same at every call, for ever.
pub fn history() -> Vec<Recorded> {
    let mut book = Teller::default();
    story::tell(&mut book);
    crowd::tell(&mut book);
    book.events
}

/// Numbers events as a ledger would.
#[derive(Default)]
struct Teller {
    events: Vec<Recorded>,
    revisions: BTreeMap<StreamName, u64>,
}

impl Teller {
    /// Records an event that happened at this time, and gives its id.
    fn tell(&mut self, stream: &StreamName, at: Timestamp, event: impl Into<Event>) -> Uuid {
        let actor = Actor::System { name: "canonical".into() };
        self.tell_with(stream, Envelope::new(at, actor), event)
    }

    /// Records an event with all that surrounds it, and gives its id.
    fn tell_with(
        &mut self,
        stream: &StreamName,
        envelope: Envelope,
        event: impl Into<Event>,
    ) -> Uuid {
        let ordinal = self.events.len() as u64 + 1;
        let next = self.revisions.entry(stream.clone()).or_default();
        let revision = *next;
        *next += 1;
        let id = number(0xE, u128::from(ordinal));
        self.events.push(Recorded {
            ordinal,
            position: Position::new(ordinal),
            stream: stream.clone(),
            revision,
            id,
            recorded_at: time("2025-07-01T00:00:00Z") + (ordinal as i64).minutes(),
            envelope,
            event: event.into(),
        });
        id
    }
}

/// An id of a kind, such as 0xC for customers.
fn number(kind: u128, n: u128) -> Uuid {
    Uuid::from_u128(0xCA20_0000_0000_4000_8000_0000_0000_0000 | (kind << 48) | n)
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("the canonical history writes its times in RFC 3339")
}

/// A personal value as the ledger keeps it. It opens with no key.
fn sealed<T>(n: u32) -> Personal<T> {
    Personal::Sealed(Box::new(SealedValue {
        v: 1,
        key: (n % 7).to_string(),
        alg: "xchacha20poly1305-hkdf-sha256".into(),
        salt: "A".repeat(43),
        commitment: "B".repeat(43),
        ciphertext: format!("{n:0>107}"),
    }))
}

/// An exact time, an agent of the organisation, and where the fact was known first.
fn from_elsewhere(at: Timestamp, precision: Precision, id: &str) -> Envelope {
    let source = Some(Source { system: "helpdesk".into(), id: id.into() });
    let actor = Actor::Agent { id: number(0xA, 1).into() };
    Envelope { precision, source, ..Envelope::new(at, actor) }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn every_event_type_and_an_unknown_one_have_their_place() {
        let history = history();
        let told: BTreeSet<&str> = history.iter().map(|event| event.event.event_type()).collect();
        for known in Event::TYPES {
            assert!(told.contains(known), "{known} has no place in the canonical history");
        }
        assert_eq!(told.len(), Event::TYPES.len() + 1, "one unknown type");
    }

    #[test]
    fn ordinals_revisions_and_ids_are_those_of_a_ledger() {
        let (mut next, mut ids) = (BTreeMap::new(), BTreeSet::new());
        let mut late = 0;
        let history = history();
        for (event, ordinal) in history.iter().zip(1..) {
            assert_eq!(event.ordinal, ordinal);
            let revision: &mut u64 = next.entry(&event.stream).or_default();
            assert_eq!(event.revision, *revision);
            *revision += 1;
            assert!(ids.insert(event.id));
            assert!(event.occurred_at() < event.recorded_at);
        }
        for pair in history.windows(2) {
            assert!(pair[0].recorded_at < pair[1].recorded_at);
            late += usize::from(pair[0].occurred_at() > pair[1].occurred_at());
        }
        assert!(late > 20, "only {late} events are recorded out of order");
    }

    #[test]
    fn every_event_reads_back_from_its_bytes() {
        for event in history() {
            let bytes = encode(&event.envelope, &event.event).unwrap();
            let read = decode(event.event.event_type(), &bytes.data, &bytes.metadata).unwrap();
            assert_eq!(read.1, event.event);
            if !matches!(event.event, Event::Unknown(_)) {
                assert_eq!(read.0, event.envelope);
            }
        }
    }

    /// The history of a release, by its length and the digest over its bytes. A new line is added
    /// when the history grows; a line that fails means that something in it was changed.
    #[test]
    fn what_was_told_once_never_changes() {
        let told = [(642, "2f30acac14d79eea65d86fe8087a356190d75c17c844140e5d499c0972b3717c")];
        let history = history();
        for (length, digest) in told {
            assert_eq!(digest_of(&history[..length]), digest, "the first {length} events");
        }
        let line = (history.len(), digest_of(&history));
        assert_eq!(told.last().unwrap().0, history.len(), "add the line {line:?}");
    }

    fn digest_of(history: &[Recorded]) -> String {
        let mut digest = Sha256::new();
        for event in history {
            let bytes = encode(&event.envelope, &event.event).unwrap();
            digest.update(format!(
                "{} {} {} {} {} {}\n",
                event.ordinal,
                event.stream,
                event.revision,
                event.id,
                event.recorded_at,
                event.event.event_type(),
            ));
            digest.update(&bytes.data);
            digest.update(&bytes.metadata);
        }
        digest.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }
}
