//! Reading: whole frames from the files, checked, and events that share their bytes.

use std::sync::Arc;

use bytes::Bytes;
use cx_model::{Position, StreamName};
use jiff::Timestamp;
use uuid::Uuid;

use super::format::{FRAME_HEADER, check_frame, take_event, time};
use super::ids::id_hash;
use super::index::Stretch;
use super::shared::Shared;
use super::streams::id_of;
use crate::error::ReadError;
use crate::port::{Direction, RawEvent};

/// How many bytes are read at once. An event keeps the bytes read with it alive; and memory of this
/// size comes back from the allocator without new pages of the system.
const CHUNK: u64 = 64 << 10;
/// How many chunks the next events of a feed take at most.
const CHUNKS: usize = 4;

/// Types that were met, so that the same text is one allocation.
struct Types([Option<Arc<str>>; 64]);

impl Types {
    fn new() -> Self {
        Self([const { None }; 64])
    }

    fn get(&mut self, name: &str) -> Arc<str> {
        let bytes = name.as_bytes();
        let ends = bytes.first().zip(bytes.last());
        let (first, last) = ends.map_or((0, 0), |(&first, &last)| (first, last));
        let slot = &mut self.0[(bytes.len() * 7 + usize::from(first) * 3 + usize::from(last)) % 64];
        match slot {
            Some(known) if **known == *name => known.clone(),
            _ => slot.insert(name.into()).clone(),
        }
    }
}

/// Turns stretches into events.
pub(crate) struct Reader<'a> {
    shared: &'a Shared,
    types: Types,
    stream: Option<StreamName>,
}

impl<'a> Reader<'a> {
    pub fn new(shared: &'a Shared) -> Self {
        Self { shared, types: Types::new(), stream: None }
    }

    fn stream(&mut self, name: &str) -> Option<StreamName> {
        if self.stream.as_ref().is_none_or(|known| known.as_str() != name) {
            self.stream = Some(StreamName::new(name).ok()?);
        }
        self.stream.clone()
    }

    /// The events of a stretch whose positions `wants` takes, in order.
    fn events(
        &mut self,
        stretch: &Stretch,
        mut wants: impl FnMut(u64) -> bool,
        out: &mut Vec<RawEvent>,
    ) -> Result<(), ReadError> {
        let damaged = |at: u64, reason: &str| ReadError::Damaged {
            path: self.shared.storage.path(&stretch.name()),
            offset: at,
            reason: reason.to_owned(),
        };
        let mut bytes = vec![0; (stretch.to - stretch.from) as usize];
        stretch.file.read_at(&mut bytes, stretch.from).map_err(|error| ReadError::Engine {
            reason: format!("{}: {error}", self.shared.storage.path(&stretch.name()).display()),
        })?;
        let bytes = Bytes::from(bytes);
        let mut frame_at = 0;
        let mut position = stretch.first_position;
        while frame_at < bytes.len() {
            let at = stretch.from + frame_at as u64;
            let header = check_frame(&bytes[frame_at..], stretch.place, at)
                .map_err(|reason| damaged(at, &reason))?;
            if header.first_position != position {
                return Err(damaged(at, "the frame is that of another position"));
            }
            let frame_end = frame_at + header.length as usize;
            let recorded_at = time(header.recorded_at);
            let frame = &bytes[..frame_end];
            let mut place = frame_at + FRAME_HEADER;
            let mut revision = 0;
            for _ in 0..header.count {
                let event = take_event(frame, &mut place)
                    .ok_or_else(|| damaged(at, "an event is cut short"))?;
                revision += 1;
                if let Some((name, first)) = event.stream {
                    revision = first;
                    // The name is needed for the events that follow, wanted or not.
                    self.stream(name).ok_or_else(|| damaged(at, "a stream has no name"))?;
                }
                if wants(position) {
                    let stream = self.stream.clone();
                    out.push(RawEvent {
                        position: Position::new(position),
                        ordinal: position,
                        stream: stream.ok_or_else(|| damaged(at, "an event has no stream"))?,
                        revision,
                        id: event.id,
                        event_type: self.types.get(event.event_type),
                        recorded_at,
                        data: slice(&bytes, event.data),
                        metadata: slice(&bytes, event.metadata),
                    });
                }
                position += 1;
            }
            frame_at = frame_end;
        }
        Ok(())
    }
}

fn slice(bytes: &Bytes, (from, to): (usize, usize)) -> Bytes {
    if from == to { Bytes::new() } else { bytes.slice(from..to) }
}

/// The greatest number whose position is not after `from`.
pub(crate) fn number_not_after(from: Position) -> u64 {
    if from.prepare() >= from.commit() { from.commit() } else { from.commit().saturating_sub(1) }
}

impl Shared {
    /// See [`crate::Ledger::read_all_within`].
    pub fn read_all(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
        bytes: u64,
    ) -> Result<Vec<RawEvent>, ReadError> {
        let head = self.head();
        let from = number_not_after(from);
        match direction {
            Direction::Forwards => {
                let last = head.min(from.saturating_add(limit as u64));
                self.read_range(from.saturating_add(1), last, bytes)
            }
            Direction::Backwards => {
                let last = from.min(head);
                let first = last.saturating_sub(limit as u64) + 1;
                self.read_range_backwards(first, last, bytes)
            }
        }
    }

    fn read_range(&self, first: u64, last: u64, bytes: u64) -> Result<Vec<RawEvent>, ReadError> {
        let mut events = Vec::with_capacity((last + 1).saturating_sub(first).min(1 << 20) as usize);
        let mut reader = Reader::new(self);
        let (mut next, mut taken) = (first, 0);
        while next <= last && taken < bytes {
            let stretch = self.index().forwards(next, last, CHUNK);
            taken += stretch.length();
            reader.events(&stretch, |position| (first..=last).contains(&position), &mut events)?;
            next = events.last().map_or(last, |event| event.ordinal) + 1;
        }
        Ok(events)
    }

    fn read_range_backwards(
        &self,
        first: u64,
        mut last: u64,
        bytes: u64,
    ) -> Result<Vec<RawEvent>, ReadError> {
        let (mut events, mut here) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(self);
        let mut taken = 0;
        while first <= last && taken < bytes {
            let stretch = self.index().backwards(first, last, CHUNK);
            taken += stretch.length();
            reader.events(&stretch, |position| (first..=last).contains(&position), &mut here)?;
            events.extend(here.drain(..).rev());
            last = stretch.first_position - 1;
        }
        Ok(events)
    }

    /// The next events after a position, as many as a few reads take.
    pub fn read_next(&self, after: Position, limit: usize) -> Result<Vec<RawEvent>, ReadError> {
        let after = number_not_after(after);
        let last = self.head().min(after.saturating_add(limit as u64));
        let mut events = Vec::new();
        let mut reader = Reader::new(self);
        let mut next = after + 1;
        for _ in 0..CHUNKS {
            if next > last {
                break;
            }
            let stretch = self.index().forwards(next, last, CHUNK);
            reader.events(&stretch, |at| (next..=last).contains(&at), &mut events)?;
            next = events.last().map_or(last, |event| event.ordinal) + 1;
        }
        Ok(events)
    }

    /// See [`crate::Ledger::read_stream_within`].
    pub fn read_stream(
        &self,
        stream: &StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
        bytes: u64,
    ) -> Result<Vec<RawEvent>, ReadError> {
        let positions = self.positions_in_stream(stream, from, direction, limit);
        let (mut events, mut here) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(self);
        let mut rest = positions.as_slice();
        let mut taken = 0;
        while taken < bytes {
            let next = match direction {
                Direction::Forwards => rest.first(),
                Direction::Backwards => rest.last(),
            };
            let Some(&next) = next else { break };
            let stretch = self.index().frame(next);
            taken += stretch.length();
            // Backwards the frame may begin before what is wanted of it, and ends with it.
            let begin = match direction {
                Direction::Forwards => 0,
                Direction::Backwards => rest.partition_point(|at| *at < stretch.first_position),
            };
            let (before, mut wanted) = rest.split_at(begin);
            let wants = |position| {
                let found = wanted.first() == Some(&position);
                if found {
                    wanted = &wanted[1..];
                }
                found
            };
            reader.events(&stretch, wants, &mut here)?;
            match direction {
                Direction::Forwards => {
                    events.append(&mut here);
                    rest = wanted;
                }
                Direction::Backwards => {
                    events.extend(here.drain(..).rev());
                    rest = before;
                }
            }
        }
        Ok(events)
    }

    /// In rising order, whichever way is read.
    fn positions_in_stream(
        &self,
        stream: &StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Vec<u64> {
        let index = self.index();
        let name = stream.as_str();
        let Some(number) = index.streams.find(name, id_of(name)) else { return Vec::new() };
        let all = index.streams.positions(number);
        let length = all.len() as u64;
        let (first, end) = match direction {
            Direction::Forwards => {
                let first = from.min(length);
                (first, first.saturating_add(limit as u64).min(length))
            }
            Direction::Backwards => {
                let end = from.saturating_add(1).min(length);
                (end.saturating_sub(limit as u64), end)
            }
        };
        all[first as usize..end as usize].to_vec()
    }

    /// See [`crate::Ledger::position_at`]: a search by halves, since `recorded_at` never falls.
    pub fn position_at(&self, at: Timestamp) -> Result<Position, ReadError> {
        let (mut low, mut high) = (0, self.head());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let event = self.event(middle)?;
            if event.recorded_at <= at {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Position::new(low))
    }

    fn event(&self, position: u64) -> Result<RawEvent, ReadError> {
        let stretch = self.index().frame(position);
        let mut events = Vec::with_capacity(1);
        Reader::new(self).events(&stretch, |at| at == position, &mut events)?;
        Ok(events.pop().expect("a frame holds the positions that the index says"))
    }

    /// The event with an id, if the ledger has it. `known` are frames read for the same append.
    pub fn find_id(&self, id: Uuid, known: &mut Known) -> Result<Option<Arc<RawEvent>>, ReadError> {
        let hash = id_hash(self.ledger, id);
        let candidates: Vec<u64> = self.index().ids.candidates(hash).collect();
        for position in candidates {
            if let Some(event) = known.events.iter().find(|event| event.ordinal == position) {
                if event.id == id {
                    return Ok(Some(event.clone()));
                }
                continue;
            }
            let stretch = self.index().frame(position);
            let mut events = Vec::new();
            Reader::new(self).events(&stretch, |_| true, &mut events)?;
            known.events = events.into_iter().map(Arc::new).collect();
            let event = known.events.iter().find(|event| event.ordinal == position);
            if let Some(event) = event.filter(|event| event.id == id) {
                return Ok(Some(event.clone()));
            }
        }
        Ok(None)
    }
}

/// The events of the frame that was read last to confirm an id.
#[derive(Default)]
pub(crate) struct Known {
    events: Vec<Arc<RawEvent>>,
}
