//! The events counted in order: what numbers them, says when was what, and sees what is missing.

#[cfg(test)]
mod tests;

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

    /// Fails if a reader who counted reaches a position with another number than was counted: so
    /// many events below it are gone since.
    pub fn check(&mut self, position: Position, ordinal: u64) -> Result<(), ReadError> {
        self.whole()?;
        let mark = self.mark_at(position);
        let agrees = if position == mark.position {
            ordinal == mark.ordinal
        } else {
            ordinal > mark.ordinal && self.mark_after(position).is_none_or(|n| ordinal < n.ordinal)
        };
        if agrees {
            return Ok(());
        }
        self.lose(
            format!(
                "events up to position {position} are gone from the event store, or are others: \
                 they were scavenged, truncated or deleted; restore them from a backup"
            ),
            position,
        )
    }

    /// The first mark after a position; `None` where counting has not come so far.
    fn mark_after(&self, position: Position) -> Option<Mark> {
        if self.end.position <= position {
            return None;
        }
        let after = self.marks.partition_point(|mark| mark.position <= position);
        Some(self.marks.get(after).copied().unwrap_or(self.end))
    }

    /// Notes that events are gone: nothing is counted or numbered any more.
    fn lose(&mut self, what: String, position: Position) -> Result<(), ReadError> {
        self.find(what);
        self.file.give_up();
        self.gone = Some(position);
        self.whole()
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
            let what = format!("stream {stream}: revisions {next} to {revision} are missing");
            return self.lose(what, position);
        }
        self.revisions.insert(known, revision);
        if self.file.is_kept() {
            self.changed.insert(known, revision);
        }
        Ok(())
    }

    /// Notes what an operator should know, once. It is found again by reading, so the next process
    /// has to read everything: what was counted is no longer kept.
    pub fn find(&mut self, what: String) {
        self.file.give_up();
        if self.findings.len() < FINDINGS && !self.findings.contains(&what) {
            tracing::error!("{what}");
            self.findings.push(what);
        }
    }
}
