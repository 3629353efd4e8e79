//! A seeded workload whose outcome can be judged: what was sent, and what was acknowledged.

use bytes::Bytes;
use cx_ledger::seeded::Seeded;
use cx_ledger::storage::FaultyDisk;
use cx_ledger::{
    Append, AppendError, Direction, EmbeddedLog, Expected, Options, RawEvent, RawNewEvent,
};
use cx_model::{Position, StreamName};

/// Segments of a few kilobytes, so that a short workload changes them.
pub fn small() -> Options {
    Options { segment_bytes: 8192, first_segment_bytes: 4096, ..Options::default() }
}

pub fn new_event(random: &mut Seeded) -> RawNewEvent {
    let longest = if random.one_in(10) { 3000 } else { 300 };
    let length = random.below(longest) as usize;
    let byte = b'a' + random.below(26) as u8;
    RawNewEvent {
        id: random.id(),
        event_type: format!("Type{}", random.below(3)).into(),
        data: vec![byte; length].into(),
        metadata: if random.one_in(2) { Bytes::new() } else { Bytes::from_static(b"{}") },
    }
}

pub fn new_appends(random: &mut Seeded) -> Vec<Append> {
    let appends = if random.one_in(4) { 1 + random.below(4) } else { 1 };
    (0..appends)
        .map(|_| Append {
            stream: StreamName::of("customer", uuid::Uuid::from_u128(u128::from(random.below(9)))),
            expected: Expected::Any,
            events: (0..=random.below(4)).map(|_| new_event(random)).collect(),
        })
        .collect()
}

/// What was sent, in order: an atomic set of appends each, and whether it was acknowledged.
#[derive(Default)]
pub struct Sent {
    pub sets: Vec<(Vec<Append>, bool)>,
}

impl Sent {
    /// Sends `count` sets of appends one after the other.
    pub fn send(&mut self, log: &EmbeddedLog, random: &mut Seeded, count: usize) {
        for _ in 0..count {
            let appends = new_appends(random);
            let answer = log.append_many_blocking(appends.clone());
            self.sets.push((appends, answer.is_ok()));
            if let Err(AppendError::Poisoned { .. }) = answer {
                return;
            }
        }
    }

    /// Asserts that the events are those of whole sets in the order sent, with every acknowledged
    /// one: nothing lost, nothing made up, nothing torn. Gives the number of sets found.
    pub fn judge(&self, events: &[RawEvent], context: &str) -> usize {
        let (mut at, mut found) = (0, 0);
        for (set, acknowledged) in &self.sets {
            let wanted: Vec<_> = set
                .iter()
                .flat_map(|append| append.events.iter().map(move |event| (&append.stream, event)))
                .collect();
            let is_there = events.get(at).is_some_and(|event| event.id == wanted[0].1.id);
            if !is_there {
                assert!(!acknowledged, "{context}: an acknowledged append is lost");
                continue;
            }
            for (stream, event) in wanted {
                let read = events.get(at).unwrap_or_else(|| panic!("{context}: torn"));
                assert_eq!(
                    (&read.stream, read.id, &read.data, &read.metadata, &read.event_type),
                    (stream, event.id, &event.data, &event.metadata, &event.event_type),
                    "{context}"
                );
                at += 1;
                assert_eq!(read.ordinal, at as u64, "{context}");
            }
            found += 1;
        }
        assert_eq!(at, events.len(), "{context}: events that were never sent");
        found
    }
}

/// Everything, read in two ways that must agree.
pub fn read_everything(log: &EmbeddedLog) -> Result<Vec<RawEvent>, cx_ledger::ReadError> {
    let all = log.read_all_blocking(Position::START, Direction::Forwards, usize::MAX)?;
    let mut streams: Vec<_> = all.iter().map(|event| event.stream.clone()).collect();
    streams.sort();
    streams.dedup();
    let mut count = 0;
    for stream in streams {
        let events = log.read_stream_blocking(&stream, 0, Direction::Forwards, usize::MAX)?;
        for (revision, event) in events.iter().enumerate() {
            assert_eq!((event.revision, &event.stream), (revision as u64, &stream));
            assert_eq!(event, &all[event.ordinal as usize - 1]);
        }
        count += events.len();
    }
    assert_eq!(count, all.len());
    Ok(all)
}

/// A log on a disk in memory with a seeded workload in it, closed in order.
pub fn filled(seed: u64, count: usize) -> (FaultyDisk, Sent) {
    let (disk, mut random) = (FaultyDisk::new(), Seeded::new(seed));
    let (log, _) = EmbeddedLog::open_storage(std::sync::Arc::new(disk.clone()), small()).unwrap();
    let mut sent = Sent::default();
    sent.send(&log, &mut random, count);
    (disk, sent)
}
