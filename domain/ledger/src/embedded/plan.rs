//! What appends would change, before they are durable: expectations and ids, checked against what the
//! ledger holds, the run that is being made durable and what stands before in the same run.

use std::collections::HashMap;

use cx_model::{Position, StreamName};
use uuid::Uuid;

use super::entry::Entry;
use super::ids::LAST_POSITION;
use super::keyed::Keyed;
use super::read::Known;
use super::shared::Shared;
use crate::error::AppendError;
use crate::port::Appended;

/// The state after all appends that were planned, durable or not yet.
#[derive(Default)]
pub(crate) struct Plan {
    next_position: u64,
    /// What the run changes that is being put together.
    run: Changes,
    /// What the run before changed: the index may not have it yet.
    before: Changes,
    request: Undo,
    answers: Vec<Appended>,
}

/// What a run changes.
#[derive(Default)]
struct Changes {
    /// How many events the streams have that the run touches.
    lengths: HashMap<StreamName, u64, Keyed>,
    ids: HashMap<Uuid, Place, Keyed>,
}

impl Changes {
    fn clear(&mut self) {
        self.lengths.clear();
        self.ids.clear();
    }
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
        self.run.clear();
        self.before.clear();
        self.answers.clear();
        self.request.begin(next_position);
    }

    /// Begins a new run. The run before the last is in the index by now.
    pub fn turn(&mut self) {
        std::mem::swap(&mut self.run, &mut self.before);
        self.run.clear();
    }

    /// The position of the next event.
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    /// The answers of the request that was taken last.
    pub fn take_answers(&mut self) -> Vec<Appended> {
        std::mem::take(&mut self.answers)
    }

    /// Takes a request, all of it or nothing. Each of its appends that is to be written gets its
    /// revision.
    pub fn take(&mut self, log: &Shared, entries: &mut [Entry]) -> Result<(), AppendError> {
        self.answers.clear();
        self.request.begin(self.next_position);
        for entry in entries {
            if let Err(error) = self.take_one(log, entry) {
                self.undo();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes back the request that was taken last.
    pub fn undo(&mut self) {
        self.next_position = self.request.next_position;
        for (stream, length) in self.request.lengths.drain(..).rev() {
            match length {
                Some(length) => self.run.lengths.insert(stream, length),
                None => self.run.lengths.remove(&stream),
            };
        }
        for id in self.request.ids.drain(..) {
            self.run.ids.remove(&id);
        }
        self.answers.clear();
    }

    fn take_one(&mut self, log: &Shared, entry: &mut Entry) -> Result<(), AppendError> {
        let touched = self.run.lengths.get(&entry.stream).copied();
        let planned = touched.or_else(|| self.before.lengths.get(&entry.stream).copied());
        let length = planned.unwrap_or_else(|| {
            let index = log.index();
            entry.number = index.streams.find(entry.stream.as_str(), entry.stream_id);
            entry.number.map_or(0, |number| index.streams.positions(number).len() as u64)
        });
        entry.revision = None;
        let Entry { stream, expected, ids, .. } = &*entry;
        let actual = length.checked_sub(1);
        if ids.is_empty() {
            let position = Position::new(self.next_position - 1);
            self.answers.push(Appended { revision: actual, position, repeated: false });
            return Ok(());
        }
        if let Some(answer) = self.check_ids(log, stream, ids)? {
            self.answers.push(answer);
            return Ok(());
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
        self.run.lengths.insert(stream.clone(), length + count);
        for (n, &id) in (0..).zip(ids) {
            let (revision, position) = (length + n, self.next_position + n);
            self.run.ids.insert(id, Place { stream: stream.clone(), revision, position });
            self.request.ids.push(id);
        }
        self.next_position += count;
        let position = Position::new(self.next_position - 1);
        let revision = Some(length + count - 1);
        self.answers.push(Appended { revision, position, repeated: false });
        entry.revision = Some(length);
        Ok(())
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
        if let Some(place) = self.run.ids.get(&id).or_else(|| self.before.ids.get(&id)) {
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
