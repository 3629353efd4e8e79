//! The ledger in a few lines: a list of events.

use cx_model::{Position, StreamName};
use jiff::Timestamp;

use crate::error::AppendError;
use crate::port::{Append, RawEvent, RawNewEvent};
use crate::seeded::Seeded;

#[derive(Debug, Default)]
pub(super) struct Model {
    pub events: Vec<ModelEvent>,
    pub ids_per_stream: bool,
}

#[derive(Debug, Clone)]
pub(super) struct ModelEvent {
    pub stream: StreamName,
    pub revision: u64,
    pub ordinal: u64,
    pub new: RawNewEvent,
    /// Known once the engine has said it.
    pub position: Option<Position>,
    pub recorded_at: Option<Timestamp>,
}

/// The model's answer: `last` is the index of the append's last event.
#[derive(Debug)]
pub(super) struct Answer {
    pub revision: Option<u64>,
    pub last: Option<usize>,
    pub repeated: bool,
}

impl Model {
    pub fn of_stream<'a>(&'a self, stream: &StreamName) -> impl Iterator<Item = &'a ModelEvent> {
        let stream = stream.clone();
        self.events.iter().filter(move |event| event.stream == stream)
    }

    pub fn last_revision(&self, stream: &StreamName) -> Option<u64> {
        self.of_stream(stream).last().map(|event| event.revision)
    }

    pub fn any(&self, random: &mut Seeded) -> Option<ModelEvent> {
        self.events.get(random.below(self.events.len() as u64) as usize).cloned()
    }

    pub fn position(&self, index: usize) -> Position {
        self.events[index].position.expect("the positions were learnt")
    }

    pub fn append(&mut self, append: &Append) -> Result<Answer, AppendError> {
        let Append { stream, expected, events } = append;
        let actual = self.last_revision(stream);
        if events.is_empty() {
            return Ok(Answer { revision: actual, last: None, repeated: false });
        }
        let there = |e: &ModelEvent| !self.ids_per_stream || e.stream == *stream;
        let known =
            |event: &RawNewEvent| self.events.iter().position(|e| there(e) && e.new.id == event.id);
        if let Some(first) = known(&events[0]) {
            let from = self.events[first].revision as usize;
            let there: Vec<_> = self.of_stream(stream).skip(from).map(|e| e.new.id).collect();
            let here: Vec<_> = events.iter().map(|event| event.id).collect();
            let same = self.events[first].stream == *stream && there.starts_with(&here);
            let last = known(events.last().expect("there is a first"));
            let revision = last.map(|last| self.events[last].revision);
            return if same {
                Ok(Answer { revision, last, repeated: true })
            } else {
                Err(AppendError::IdReused { stream: stream.clone() })
            };
        }
        let twice =
            events.iter().enumerate().any(|(i, a)| events[..i].iter().any(|b| a.id == b.id));
        if twice || events.iter().any(|event| known(event).is_some()) {
            return Err(AppendError::IdReused { stream: stream.clone() });
        }
        if !expected.holds(actual) {
            let (stream, expected) = (stream.clone(), *expected);
            return Err(AppendError::Conflict { stream, expected, actual });
        }
        for (revision, new) in (actual.map_or(0, |actual| actual + 1)..).zip(events) {
            self.events.push(ModelEvent {
                stream: stream.clone(),
                revision,
                ordinal: self.events.len() as u64 + 1,
                new: new.clone(),
                position: None,
                recorded_at: None,
            });
        }
        let last = self.events.len() - 1;
        Ok(Answer { revision: Some(self.events[last].revision), last: Some(last), repeated: false })
    }

    pub fn learn_position(&mut self, index: usize, position: Position, replay: &str) {
        let known = self.events[index].position.get_or_insert(position);
        assert_eq!(*known, position, "positions stay as they are; {replay}");
    }

    pub fn learn(&mut self, read: &[RawEvent], replay: &str) {
        assert_eq!(read.len(), self.events.len(), "nothing is lost or made up; {replay}");
        let (mut position, mut recorded_at) = (Position::START, Timestamp::MIN);
        for (event, read) in self.events.iter_mut().zip(read) {
            event.check(read, replay);
            assert!(read.position > position, "positions rise; {replay}");
            assert!(read.recorded_at >= recorded_at, "recorded_at never falls; {replay}");
            (position, recorded_at) = (read.position, read.recorded_at);
            event.position = Some(position);
            event.recorded_at = Some(recorded_at);
        }
    }
}

impl ModelEvent {
    /// Asserts that the engine's event is this one.
    pub fn check(&self, read: &RawEvent, replay: &str) {
        assert_eq!(read.stream, self.stream, "{replay}");
        assert_eq!(read.revision, self.revision, "{replay}");
        assert!(read.ordinal == self.ordinal || read.ordinal == 0, "{replay}");
        assert_eq!(read.id, self.new.id, "{replay}");
        assert_eq!(read.event_type, self.new.event_type, "{replay}");
        assert_eq!(read.data, self.new.data, "{replay}");
        assert_eq!(read.metadata, self.new.metadata, "{replay}");
        if let Some(position) = self.position {
            assert_eq!(read.position, position, "positions stay as they are; {replay}");
        }
        if let Some(recorded_at) = self.recorded_at {
            assert_eq!(read.recorded_at, recorded_at, "times stay as they are; {replay}");
        }
    }
}
