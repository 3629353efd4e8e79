//! An append on its way: bytes already when it comes into the queue, so that whoever makes the run
//! copies them once and the callers do the rest side by side.

use cx_model::StreamName;
use uuid::Uuid;

use super::format::{push_event, push_varint};
use crate::port::{Append, Expected, RawNewEvent};

/// An append whose events are written but for the revision of the first.
pub(crate) struct Entry {
    pub stream: StreamName,
    pub expected: Expected,
    pub ids: Vec<Uuid>,
    events: Vec<u8>,
    /// Where in the events the revision belongs.
    revision_at: usize,
}

impl Entry {
    pub fn new(append: Append) -> Self {
        let Append { stream, expected, events: given } = append;
        let (mut events, mut revision_at) = (Vec::with_capacity(size(&stream, &given)), 0);
        let mut name = Some(&stream);
        for event in &given {
            if let Some(at) = push_event(&mut events, name.take(), event) {
                revision_at = at;
            }
        }
        let ids = given.iter().map(|event| event.id).collect();
        Self { stream, expected, ids, events, revision_at }
    }

    /// About how many bytes it takes in a frame.
    pub fn size(&self) -> usize {
        self.events.len() + 64
    }

    /// Writes the events into a frame's body; the first has this revision.
    pub fn write(&self, revision: u64, out: &mut Vec<u8>) {
        let (before, after) = self.events.split_at(self.revision_at);
        out.extend_from_slice(before);
        push_varint(out, revision);
        out.extend_from_slice(after);
    }
}

/// No less than the bytes of the events.
fn size(stream: &StreamName, events: &[RawNewEvent]) -> usize {
    let of =
        |event: &RawNewEvent| event.event_type.len() + event.metadata.len() + event.data.len() + 36;
    stream.as_str().len() + events.iter().map(of).sum::<usize>()
}
