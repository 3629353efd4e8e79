//! An event store over the ledger's port: what an append and a stream's metadata mean.

mod deletion;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cx_ledger::{Append, AppendError, Appended, Direction, Expected, Foreign, Ledger, RawNewEvent};
use cx_model::StreamName;
use tokio::sync::RwLock;
use uuid::Uuid;

use deletion::never_less;

use super::fault::Fault;
use super::guard::Guard;
use super::state::{Deleted, LINK, METADATA, StreamState, metadata_of, subject_of};
use crate::auth::Caller;

/// An event that a client proposes.
#[derive(Debug, Clone)]
pub(super) struct Proposed {
    pub id: Uuid,
    pub event_type: Arc<str>,
    pub json: bool,
    pub data: Bytes,
    pub metadata: Bytes,
}

/// How an append went.
pub(super) enum Outcome {
    Appended(Appended),
    /// The stream's last revision was another one than expected.
    Conflict(Option<u64>),
}

/// An event store over a ledger.
pub(super) struct Store {
    ledger: Arc<dyn Ledger>,
    guard: Option<Guard>,
    /// A stream's metadata are written by one at a time, and not while an append relies on them.
    locks: Vec<RwLock<()>>,
    hasher: RandomState,
    states: Mutex<HashMap<StreamName, Arc<StreamState>>>,
}

/// How many streams' metadata are remembered.
const REMEMBERED: usize = 100_000;

impl Store {
    pub fn new(ledger: Arc<dyn Ledger>, guard: Option<Guard>) -> Self {
        let locks = (0..256).map(|_| RwLock::default()).collect();
        let (hasher, states) = (RandomState::new(), Mutex::default());
        Self { ledger, guard, locks, hasher, states }
    }

    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    fn owns(&self, stream: &StreamName) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.owns(stream))
    }

    /// The lock of a stream and of its metadata.
    fn lock(&self, stream: &StreamName) -> &RwLock<()> {
        &self.locks[self.hasher.hash_one(stream) as usize % self.locks.len()]
    }

    /// Keeps appends to a stream waiting.
    #[cfg(test)]
    pub fn hold(&self, stream: &StreamName) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.lock(stream).try_write().expect("nobody appends to the stream")
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<StreamName, Arc<StreamState>>> {
        self.states.lock().expect("no thread panics while it holds the metadata")
    }

    /// What the metadata of a stream say of it.
    pub async fn state(&self, stream: &StreamName) -> Result<Arc<StreamState>, Fault> {
        if let Some(known) = self.remembered().get(stream) {
            return Ok(Arc::clone(known));
        }
        let _reading = self.lock(stream).read().await;
        self.state_now(stream).await
    }

    /// As [`Self::state`], under the stream's lock.
    async fn state_now(&self, stream: &StreamName) -> Result<Arc<StreamState>, Fault> {
        if let Some(known) = self.remembered().get(stream) {
            return Ok(Arc::clone(known));
        }
        if subject_of(stream).is_some() {
            return Ok(Arc::new(StreamState::of_metadata()));
        }
        let Ok(metadata) = metadata_of(stream) else { return Ok(Arc::default()) };
        let (last, metadata) = (self.last(stream).await?, self.last(&metadata).await?);
        let state = Arc::new(StreamState::of(last.as_ref(), metadata.as_ref()));
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(stream.clone(), Arc::clone(&state));
        Ok(state)
    }

    /// The last event of a stream.
    pub async fn last(&self, stream: &StreamName) -> Result<Option<cx_ledger::RawEvent>, Fault> {
        let read = self.ledger.read_stream(stream, u64::MAX, Direction::Backwards, 1).await?;
        Ok(read.into_iter().next())
    }

    /// The last revision of a stream, whether it is deleted or not.
    pub async fn last_revision(&self, stream: &StreamName) -> Result<Option<u64>, Fault> {
        Ok(self.last(stream).await?.map(|event| event.revision))
    }

    /// Appends events to a stream.
    pub async fn append(
        &self,
        caller: &Caller,
        stream: StreamName,
        expected: Expected,
        events: Vec<Proposed>,
    ) -> Result<Outcome, Fault> {
        if let Some(guard) = self.guard.as_ref().filter(|guard| guard.owns(&stream)) {
            // Nothing lands behind an erasure that comes between the check and the write.
            let _no_erasure = guard.no_erasure().await;
            guard.check(caller, &stream, &events).await?;
            let events = events.into_iter().map(own).collect();
            return self.write(vec![Append { stream, expected, events }]).await;
        }
        self.may_append(&stream, &events)?;
        if let Some(subject) = subject_of(&stream) {
            let _writing = self.lock(&subject).write().await;
            self.remembered().remove(&subject);
            let events = foreign(&stream, events);
            return self.write(vec![Append { stream, expected, events }]).await;
        }
        let reading = self.lock(&stream).read().await;
        match self.state_now(&stream).await?.deleted {
            Deleted::No => {}
            Deleted::ForEver => return Err(Fault::Deleted { stream: stream.to_string() }),
            Deleted::Softly => {
                drop(reading);
                return self.append_again(stream, expected, events).await;
            }
        }
        let events = foreign(&stream, events);
        let answer = self.write(vec![Append { stream, expected, events }]).await;
        drop(reading);
        answer
    }

    /// Appends to a stream that is deleted but not for ever: it lives again, from here on.
    async fn append_again(
        &self,
        stream: StreamName,
        expected: Expected,
        events: Vec<Proposed>,
    ) -> Result<Outcome, Fault> {
        let _writing = self.lock(&stream).write().await;
        let state = self.state_now(&stream).await?;
        let last = self.last_revision(&stream).await?;
        let deleted = state.deleted == Deleted::Softly;
        let expected = match (expected, last) {
            (Expected::NoStream, Some(last)) if deleted => Expected::Revision(last),
            (Expected::StreamExists, last) if deleted => return Ok(Outcome::Conflict(last)),
            (expected, _) => expected,
        };
        let mut appends = Vec::new();
        if deleted && !events.is_empty() {
            let first = last.map_or(0, |last| last + 1);
            appends.push(metadata_event(&stream, state.with_first(Some(first)))?);
        }
        let events = foreign(&stream, events);
        appends.push(Append { stream: stream.clone(), expected, events });
        self.remembered().remove(&stream);
        self.write(appends).await
    }

    async fn write(&self, appends: Vec<Append>) -> Result<Outcome, Fault> {
        let stream = appends.last().map(|append| append.stream.clone());
        let answer = self.ledger.append_many(appends).await;
        match answer {
            Ok(answers) => {
                let last = answers.last().copied();
                Ok(Outcome::Appended(last.expect("every append has an answer")))
            }
            Err(AppendError::Conflict { actual, .. }) => Ok(Outcome::Conflict(actual)),
            Err(AppendError::IdReused { .. }) => {
                let stream = stream.expect("something was appended");
                Ok(Outcome::Conflict(self.last_revision(&stream).await?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses appends to streams, and of types, that are the event store's.
    fn may_append(&self, stream: &StreamName, events: &[Proposed]) -> Result<(), Fault> {
        match subject_of(stream) {
            Some(subject) if self.owns(&subject) => return Err(never_less(&subject)),
            Some(_) if events.iter().all(|event| &*event.event_type == METADATA) => {}
            Some(_) => {
                let reason = format!("a stream of metadata takes events of type {METADATA} only");
                return Err(Fault::Bad(reason));
            }
            None if stream.as_str().starts_with('$') => {
                let reason = "streams whose names begin with $ are the event store's";
                return Err(Fault::Denied(reason.into()));
            }
            None => {
                let system = |event: &Proposed| {
                    event.event_type.starts_with('$') && &*event.event_type != LINK
                };
                if let Some(event) = events.iter().find(|event| system(event)) {
                    let reason = format!("only the event store writes type {}", event.event_type);
                    return Err(Fault::Denied(reason));
                }
            }
        }
        Ok(())
    }
}

/// Metadata of a stream, about to be appended.
fn metadata_event(stream: &StreamName, data: Bytes) -> Result<Append, Fault> {
    Ok(system_event(metadata_of(stream)?, METADATA, data))
}

/// An event of the ledger's own, as the model writes it.
fn own(event: Proposed) -> RawNewEvent {
    let Proposed { id, event_type, data, metadata, .. } = event;
    RawNewEvent { id, event_type, data, metadata }
}

fn foreign(stream: &StreamName, events: Vec<Proposed>) -> Vec<RawNewEvent> {
    let mark = |event: Proposed| {
        let Proposed { id, event_type, json, data, metadata } = event;
        Foreign { id, json, metadata }.mark(stream, event_type, data)
    };
    events.into_iter().map(mark).collect()
}

/// An event that the event store itself appends.
pub(super) fn system_event(stream: StreamName, event_type: &str, data: Bytes) -> Append {
    let foreign = Foreign { id: Uuid::new_v4(), json: true, metadata: Bytes::new() };
    let events = vec![foreign.mark(&stream, event_type.into(), data)];
    Append { stream, expected: Expected::Any, events }
}
