//! A ledger in memory: the port's meaning in its shortest form, for tests and previews.
//!
//! Positions count from 1 and equal the ordinals, as on the embedded log. Nothing outlives the
//! process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use cx_model::{Position, StreamName};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{AppendError, ReadError};
use crate::limits::check_limits;
use crate::port::{
    Append, Appended, Direction, Expected, Follow, Health, Ledger, RawEvent, RawNewEvent,
};

/// A ledger in memory. Clones share the same events.
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    state: Mutex<State>,
    head: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<RawEvent>,
    streams: HashMap<StreamName, Vec<usize>>,
    ids: HashMap<Uuid, usize>,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryLedger {
    /// An empty ledger that stamps with the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    /// An empty ledger that stamps with this clock. A clock that goes back is held at its last
    /// time: `recorded_at` never falls.
    pub fn with_clock(clock: Clock) -> Self {
        let shared = Shared { clock, state: Mutex::default(), head: watch::Sender::new(0) };
        Self { shared: Arc::new(shared) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no thread panics while it holds the events")
    }

    fn append_now(&self, appends: &[Append]) -> Result<Vec<Appended>, AppendError> {
        check_limits(appends)?;
        let mut state = self.state();
        let before = state.events.len();
        let now = self.shared.clock.now();
        let mut answers = Vec::with_capacity(appends.len());
        for append in appends {
            match state.append(append, now) {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    state.undo_to(before);
                    return Err(error);
                }
            }
        }
        let head = state.events.len();
        drop(state);
        if head > before {
            self.shared.head.send_replace(head as u64);
        }
        Ok(answers)
    }
}

impl State {
    fn append(&mut self, append: &Append, now: Timestamp) -> Result<Appended, AppendError> {
        let Append { stream, expected, events } = append;
        let actual = self.streams.get(stream).map(|indexes| indexes.len() as u64 - 1);
        let Some(first) = events.first() else {
            let position = Position::new(self.events.len() as u64);
            return Ok(Appended { revision: actual, position, repeated: false });
        };
        let reused = || AppendError::IdReused { stream: stream.clone() };
        if let Some(&index) = self.ids.get(&first.id) {
            return self.repeated(stream, events, index).ok_or_else(reused);
        }
        let mut seen = std::collections::HashSet::new();
        if events.iter().any(|event| self.ids.contains_key(&event.id) || !seen.insert(event.id)) {
            return Err(reused());
        }
        if !expected.holds(actual) {
            let (stream, expected) = (stream.clone(), *expected);
            return Err(AppendError::Conflict { stream, expected, actual });
        }
        let recorded_at = self.events.last().map_or(now, |last| last.recorded_at.max(now));
        for event in events {
            self.push(stream, event, recorded_at);
        }
        let last = self.events.last().expect("events were pushed");
        Ok(Appended { revision: Some(last.revision), position: last.position, repeated: false })
    }

    /// The first answer, if these events stand in this stream in this order from `index` on.
    fn repeated(
        &self,
        stream: &StreamName,
        events: &[RawNewEvent],
        index: usize,
    ) -> Option<Appended> {
        let first = &self.events[index];
        if first.stream != *stream {
            return None;
        }
        let indexes = self.streams.get(stream)?.get(first.revision as usize..)?;
        let same = indexes.len() >= events.len()
            && events.iter().zip(indexes).all(|(event, &i)| self.events[i].id == event.id);
        let last = &self.events[*indexes.get(events.len() - 1)?];
        same.then_some(Appended {
            revision: Some(last.revision),
            position: last.position,
            repeated: true,
        })
    }

    fn push(&mut self, stream: &StreamName, event: &RawNewEvent, recorded_at: Timestamp) {
        let index = self.events.len();
        let ordinal = index as u64 + 1;
        let indexes = self.streams.entry(stream.clone()).or_default();
        self.events.push(RawEvent {
            position: Position::new(ordinal),
            ordinal,
            stream: stream.clone(),
            revision: indexes.len() as u64,
            id: event.id,
            event_type: event.event_type.clone(),
            recorded_at,
            data: event.data.clone(),
            metadata: event.metadata.clone(),
        });
        indexes.push(index);
        self.ids.insert(event.id, index);
    }

    fn undo_to(&mut self, length: usize) {
        for event in self.events.drain(length..).rev() {
            self.ids.remove(&event.id);
            let indexes = self.streams.get_mut(&event.stream).expect("the event is in its stream");
            indexes.pop();
            if indexes.is_empty() {
                self.streams.remove(&event.stream);
            }
        }
    }

    fn read_all(&self, from: Position, direction: Direction, limit: usize) -> Vec<RawEvent> {
        let split = self.events.partition_point(|event| event.position <= from);
        match direction {
            Direction::Forwards => self.events[split..].iter().take(limit).cloned().collect(),
            Direction::Backwards => {
                self.events[..split].iter().rev().take(limit).cloned().collect()
            }
        }
    }

    fn read_stream(
        &self,
        stream: &StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Vec<RawEvent> {
        let indexes = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let length = indexes.len() as u64;
        let event = |&index: &usize| self.events[index].clone();
        match direction {
            Direction::Forwards => {
                indexes[from.min(length) as usize..].iter().take(limit).map(event).collect()
            }
            Direction::Backwards => {
                let end = from.saturating_add(1).min(length) as usize;
                indexes[..end].iter().rev().take(limit).map(event).collect()
            }
        }
    }
}

impl Ledger for MemoryLedger {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        let answers = self.append_now(std::slice::from_ref(&append));
        ready(answers.map(|answers| answers[0])).boxed()
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        ready(self.append_now(&appends)).boxed()
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RawEvent>, ReadError>> {
        ready(Ok(self.state().read_stream(stream, from, direction, limit))).boxed()
    }

    fn read_all(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        ready(Ok(self.state().read_all(from, direction, limit))).boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        ready(Ok(Position::new(self.state().events.len() as u64))).boxed()
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, ReadError>> {
        let state = self.state();
        let count = state.events.partition_point(|event| event.recorded_at <= time);
        ready(Ok(Position::new(count as u64))).boxed()
    }

    fn follow(&self, after: Position) -> Box<dyn Follow> {
        let head = self.shared.head.subscribe();
        Box::new(MemoryFollow { ledger: self.clone(), head, after })
    }

    fn health(&self) -> Health {
        Health::Writable
    }
}

struct MemoryFollow {
    ledger: MemoryLedger,
    head: watch::Receiver<u64>,
    after: Position,
}

impl Follow for MemoryFollow {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        async move {
            loop {
                self.head.mark_unchanged();
                let events =
                    self.ledger.state().read_all(self.after, Direction::Forwards, limit.max(1));
                if let Some(last) = events.last() {
                    self.after = last.position;
                    return Ok(events);
                }
                self.head.changed().await.expect("the ledger's handle is held here");
            }
        }
        .boxed()
    }
}

impl Expected {
    /// Whether a stream whose last revision is `actual` is as expected.
    pub fn holds(self, actual: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual.is_none(),
            Self::StreamExists => actual.is_some(),
            Self::Revision(revision) => actual == Some(revision),
        }
    }
}
