//! The events counted in order: what numbers them, says when was what, and sees what is missing.

use std::collections::HashMap;

use cx_model::{Position, StreamName};
use jiff::Timestamp;
use uuid::Uuid;

use super::marks::{BLOCK, Block, Marks, MarksFile};
use crate::error::ReadError;
use crate::port::RawEvent;

/// A mark is kept every so many events.
pub(super) const APART: usize = 256;
/// So many streams are watched for gaps; those beyond are taken as they come.
const WATCHED: usize = 4 << 20;
/// So many findings are kept.
const FINDINGS: usize = 100;

/// Up to a position there are so many events, recorded no later than a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub position: Position,
    pub ordinal: u64,
    pub latest: Timestamp,
}

const START: Mark = Mark { position: Position::START, ordinal: 0, latest: Timestamp::MIN };

/// What is known of all events up to an end.
pub(super) struct Census {
    marks: Vec<Mark>,
    end: Mark,
    /// The last revision of each stream, by the hash of its name.
    revisions: HashMap<u64, u64>,
    file: MarksFile,
    /// What changed since the last block was kept.
    changed: HashMap<u64, u64>,
    gone: Option<Position>,
    pub findings: Vec<String>,
}

impl Default for Census {
    fn default() -> Self {
        Self {
            marks: vec![START],
            end: START,
            revisions: HashMap::new(),
            file: MarksFile::default(),
            changed: HashMap::new(),
            gone: None,
            findings: Vec::new(),
        }
    }
}

impl Census {
    /// What an earlier process counted, and the last event of it, which has to be there still.
    pub fn open(marks: &Marks) -> (Self, Option<(Position, Uuid)>) {
        let (file, blocks) = match MarksFile::open(marks) {
            Ok(opened) => opened,
            Err(error) => {
                let path = marks.path.display();
                tracing::warn!(%path, %error, "what was counted before cannot be read");
                return (Self::default(), None);
            }
        };
        let mut census = Self { file, ..Self::default() };
        let mut last = None;
        for block in blocks {
            last = Some((block.position, block.id));
            census.marks.extend(block.marks);
            census.revisions.extend(block.revisions);
        }
        census.end = *census.marks.last().expect("the start is a mark");
        (census, last)
    }

    /// Begins anew: the marks were another ledger's.
    pub fn forget(&mut self) {
        self.file.forget();
        *self = Self { file: std::mem::take(&mut self.file), ..Self::default() };
    }

    /// Up to where the events were counted.
    pub fn end(&self) -> Mark {
        self.end
    }

    /// Fails if events are missing.
    pub fn whole(&self) -> Result<(), ReadError> {
        self.gone.map_or(Ok(()), |position| Err(ReadError::Truncated { position }))
    }

    /// The last mark at or before a position.
    pub fn mark_at(&self, position: Position) -> Mark {
        if self.end.position <= position {
            return self.end;
        }
        let after = self.marks.partition_point(|mark| mark.position <= position);
        self.marks[after - 1]
    }

    /// The last mark up to which nothing was recorded later than a time.
    pub fn mark_as_of(&self, time: Timestamp) -> Mark {
        if self.end.latest <= time {
            return self.end;
        }
        let after = self.marks.partition_point(|mark| mark.latest <= time);
        self.marks[after.max(1) - 1]
    }

    /// Counts an event that follows on another, if it is the next; fails if one of its stream is
    /// missing before it.
    pub fn take(&mut self, before: Position, event: &RawEvent) -> Result<(), ReadError> {
        self.whole()?;
        if before != self.end.position {
            return Ok(());
        }
        self.watch(&event.stream, event.revision, event.position)?;
        let latest = self.end.latest.max(event.recorded_at);
        let ordinal = self.end.ordinal + 1;
        self.end = Mark { position: event.position, ordinal, latest };
        if ordinal.is_multiple_of(APART as u64) {
            self.marks.push(self.end);
        }
        if ordinal.is_multiple_of(BLOCK) {
            self.keep(event.id);
        }
        Ok(())
    }

    /// Keeps what was counted since the last block, which this event ends.
    fn keep(&mut self, id: Uuid) {
        let changed = std::mem::take(&mut self.changed);
        if !self.file.is_kept() {
            return;
        }
        let block = Block {
            position: self.end.position,
            id,
            marks: self.marks[self.marks.len() - BLOCK as usize / APART..].to_vec(),
            revisions: changed.into_iter().collect(),
        };
        self.file.add(&block);
    }

    fn watch(
        &mut self,
        stream: &StreamName,
        revision: u64,
        position: Position,
    ) -> Result<(), ReadError> {
        let known = self.file.hash(stream);
        let next = self.revisions.get(&known).map_or(0, |last| last + 1);
        if self.revisions.len() >= WATCHED && next == 0 {
            return Ok(());
        }
        if revision != next {
            tracing::error!(
                %stream, revision, expected = next,
                "events of a stream are gone from the event store: they were scavenged, truncated \
                 or deleted; restore them from a backup"
            );
            self.find(format!("stream {stream}: revisions {next} to {revision} are missing"));
            self.gone = Some(position);
            return self.whole();
        }
        self.revisions.insert(known, revision);
        if self.file.is_kept() {
            self.changed.insert(known, revision);
        }
        Ok(())
    }

    /// Notes what an operator should know, once.
    pub fn find(&mut self, what: String) {
        if self.findings.len() < FINDINGS && !self.findings.contains(&what) {
            tracing::error!("{what}");
            self.findings.push(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;

    fn event(position: u64, stream: &str, revision: u64) -> RawEvent {
        RawEvent {
            position: Position::from_parts(position, position - 1),
            ordinal: 0,
            stream: StreamName::new(stream).unwrap(),
            revision,
            id: Uuid::from_u128(u128::from(position)),
            event_type: "T".into(),
            recorded_at: Timestamp::from_second(position as i64).unwrap(),
            data: Bytes::new(),
            metadata: Bytes::new(),
        }
    }

    #[test]
    fn events_are_counted_once_and_in_order_whoever_brings_them() {
        let mut census = Census::default();
        let mut before = Position::START;
        for n in 1..=1_000 {
            let event = event(n * 10, &format!("case-{}", n % 7), (n - 1) / 7);
            let revision = if n % 7 == 0 { n / 7 - 1 } else { n / 7 };
            let event = RawEvent { revision, ..event };
            census.take(before, &event).unwrap();
            // Told again by another follower.
            census.take(before, &event).unwrap();
            before = event.position;
        }
        assert_eq!((census.end().ordinal, census.end().position), (1_000, before));
        let mark = census.mark_at(Position::from_parts(5_130, 5_129));
        assert!(mark.ordinal == 512 && mark.position.commit() == 5_120, "{mark:?}");
        let mark = census.mark_as_of(Timestamp::from_second(2_570).unwrap());
        assert_eq!(mark.ordinal, 256);
        assert_eq!(census.mark_as_of(Timestamp::UNIX_EPOCH).ordinal, 0);
    }

    #[test]
    fn a_stream_that_lost_its_beginning_or_a_piece_stops_the_count() {
        for (first, second) in [(1, 2), (0, 2)] {
            let mut census = Census::default();
            let one = event(10, "case-1", first);
            let two = event(20, "case-1", second);
            let counted =
                census.take(Position::START, &one).and_then(|()| census.take(one.position, &two));
            assert!(matches!(counted, Err(ReadError::Truncated { .. })), "{counted:?}");
            assert!(census.whole().is_err() && census.findings.len() == 1);
        }
    }

    #[test]
    fn a_gap_is_seen_across_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let marks = Marks { path: directory.path().join("marks"), write: true };
        let (mut census, last) = Census::open(&marks);
        assert!(last.is_none());
        let mut before = Position::START;
        for n in 0..BLOCK + 10 {
            let event = event((n + 1) * 10, &format!("case-{}", n % 8), n / 8);
            census.take(before, &event).unwrap();
            before = event.position;
        }
        drop(census);
        for lost in [false, true] {
            let (mut census, last) = Census::open(&marks);
            let (position, id) = last.unwrap();
            assert_eq!((census.end().position, census.end().ordinal), (position, BLOCK));
            assert_eq!(id, Uuid::from_u128(u128::from(position.commit())));
            let next = event(BLOCK * 10 + 10, "case-0", BLOCK / 8 + u64::from(lost));
            assert_eq!(census.take(position, &next).is_err(), lost);
        }
        let (mut census, _) = Census::open(&marks);
        census.forget();
        assert_eq!(census.end().ordinal, 0);
        assert!(Census::open(&marks).1.is_none());
    }
}
