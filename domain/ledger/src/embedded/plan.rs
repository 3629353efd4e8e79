//! What a run would change, before it is durable: expectations and ids, checked against what the
//! ledger holds and what stands before in the same run.

use std::collections::HashMap;

use cx_model::{Position, StreamName};
use uuid::Uuid;

use super::entry::Entry;
use super::format::Digest;
use super::ids::LAST_POSITION;
use super::keyed::Keyed;
use super::read::Known;
use super::shared::Shared;
use super::streams::StreamNumber;
use crate::error::AppendError;
use crate::port::Appended;

/// An append that is new.
pub(crate) struct Fresh {
    pub entry: Entry,
    /// The revision of its first event.
    pub revision: u64,
    /// Its stream in memory, once it is durable.
    pub stream: StreamNumber,
}

/// The state after the appends of a run so far.
#[derive(Default)]
pub(crate) struct Plan {
    next_position: u64,
    /// How many events the streams have that the run touches.
    lengths: HashMap<StreamName, u64, Keyed>,
    ids: HashMap<Uuid, Place, Keyed>,
    /// The digest of the last frame of the run.
    pub digest: Digest,
    request: Undo,
    answers: Vec<Appended>,
}

#[derive(Clone)]
struct Place {
    stream: StreamName,
    revision: u64,
    position: u64,
}

/// How the plan stood before the request.
#[derive(Default)]
struct Undo {
    next_position: u64,
    lengths: Vec<(StreamName, Option<u64>)>,
    ids: Vec<Uuid>,
}

impl Undo {
    fn begin(&mut self, next_position: u64) {
        self.next_position = next_position;
        self.lengths.clear();
        self.ids.clear();
    }
}

impl Plan {
    /// Forgets everything; the next event gets this position.
    pub fn begin(&mut self, next_position: u64) {
        self.next_position = next_position;
        self.lengths.clear();
        self.ids.clear();
        self.answers.clear();
        self.request.begin(next_position);
    }

    /// Makes room for so many appends.
    pub fn reserve(&mut self, appends: usize) {
        self.lengths.reserve(appends);
        self.ids.reserve(appends);
    }

    /// The position of the next event.
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    /// The answers of the request that was taken last.
    pub fn take_answers(&mut self) -> Vec<Appended> {
        std::mem::take(&mut self.answers)
    }

    /// Takes a request, all of it or nothing, and gives those of its appends that are to be written.
    pub fn take(&mut self, log: &Shared, entries: Vec<Entry>) -> Result<Vec<Fresh>, AppendError> {
        self.answers.clear();
        self.request.begin(self.next_position);
        let mut fresh = Vec::with_capacity(entries.len());
        for entry in entries {
            match self.take_one(log, &entry) {
                Ok(Some(revision)) => fresh.push(Fresh { entry, revision, stream: 0 }),
                Ok(None) => {}
                Err(error) => {
                    self.undo();
                    return Err(error);
                }
            }
        }
        Ok(fresh)
    }

    /// Takes back the request that was taken last.
    pub fn undo(&mut self) {
        self.next_position = self.request.next_position;
        for (stream, length) in self.request.lengths.drain(..).rev() {
            match length {
                Some(length) => self.lengths.insert(stream, length),
                None => self.lengths.remove(&stream),
            };
        }
        for id in self.request.ids.drain(..) {
            self.ids.remove(&id);
        }
        self.answers.clear();
    }

    /// The revision of the append's first event, if it is new.
    fn take_one(&mut self, log: &Shared, entry: &Entry) -> Result<Option<u64>, AppendError> {
        let Entry { stream, expected, ids, .. } = entry;
        let touched = self.lengths.get(stream).copied();
        let length = touched.unwrap_or_else(|| {
            let index = log.index();
            let number = index.streams.find(stream.as_str());
            number.map_or(0, |number| index.streams.positions(number).len() as u64)
        });
        let actual = length.checked_sub(1);
        if ids.is_empty() {
            let position = Position::new(self.next_position - 1);
            self.answers.push(Appended { revision: actual, position, repeated: false });
            return Ok(None);
        }
        if let Some(answer) = self.check_ids(log, stream, ids)? {
            self.answers.push(answer);
            return Ok(None);
        }
        if !expected.holds(actual) {
            let (stream, expected) = (stream.clone(), *expected);
            return Err(AppendError::Conflict { stream, expected, actual });
        }
        let count = ids.len() as u64;
        if self.next_position + count > LAST_POSITION {
            let reason = format!("the log holds {LAST_POSITION} events and takes no more");
            return Err(AppendError::Engine { reason });
        }
        self.request.lengths.push((stream.clone(), touched));
        self.lengths.insert(stream.clone(), length + count);
        for (n, &id) in (0..).zip(ids) {
            let (revision, position) = (length + n, self.next_position + n);
            self.ids.insert(id, Place { stream: stream.clone(), revision, position });
            self.request.ids.push(id);
        }
        self.next_position += count;
        let position = Position::new(self.next_position - 1);
        let revision = Some(length + count - 1);
        self.answers.push(Appended { revision, position, repeated: false });
        Ok(Some(length))
    }

    /// `None` if all ids are new; the first answer if the same events stand in the same stream.
    fn check_ids(
        &self,
        log: &Shared,
        stream: &StreamName,
        ids: &[Uuid],
    ) -> Result<Option<Appended>, AppendError> {
        let reused = || AppendError::IdReused { stream: stream.clone() };
        let mut known = Known::default();
        let mut first: Option<Place> = None;
        let mut last = None;
        for (n, &id) in (0..).zip(ids) {
            let found = self.find(log, id, &mut known)?;
            match (&first, found) {
                (None, None) => {}
                (None, Some(place)) if n == 0 && place.stream == *stream => {
                    last = Some(place.clone());
                    first = Some(place);
                }
                (Some(first), Some(place))
                    if place.stream == *stream && place.revision == first.revision + n =>
                {
                    last = Some(place);
                }
                _ => return Err(reused()),
            }
        }
        if first.is_none() && ids.len() > 1 {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            if ids.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(reused());
            }
        }
        Ok(last.map(|last| Appended {
            revision: Some(last.revision),
            position: Position::new(last.position),
            repeated: true,
        }))
    }

    fn find(
        &self,
        log: &Shared,
        id: Uuid,
        known: &mut Known,
    ) -> Result<Option<Place>, AppendError> {
        if let Some(place) = self.ids.get(&id) {
            return Ok(Some(place.clone()));
        }
        let found = log.find_id(id, known).map_err(|error| AppendError::Engine {
            reason: format!("an id could not be looked up: {error}"),
        })?;
        Ok(found.map(|event| Place {
            stream: event.stream.clone(),
            revision: event.revision,
            position: event.ordinal,
        }))
    }
}
