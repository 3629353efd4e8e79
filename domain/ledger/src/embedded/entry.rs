//! An append on its way: bytes already before it takes its place, so that only what depends on the
//! place is done one after the other.

use cx_model::StreamName;
use uuid::Uuid;

use super::format::{push_event, push_varint};
use super::streams::{StreamNumber, id_of};
use crate::port::{Append, Expected, RawNewEvent};

/// An append whose events are written but for the revision of the first.
pub(crate) struct Entry {
    pub stream: StreamName,
    /// The id in the stream's name, if it is of the common form.
    pub stream_id: Option<Uuid>,
    /// The stream's number, if it had events when the append was planned or is durable.
    pub number: Option<StreamNumber>,
    /// The revision of its first event, once it is planned and unless nothing is to be written.
    pub revision: Option<u64>,
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
        let stream_id = id_of(stream.as_str());
        let (number, revision) = (None, None);
        Self { stream, stream_id, number, revision, expected, ids, events, revision_at }
    }

    /// Writes the events into a frame's body, if they are to be written.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Some(revision) = self.revision else { return };
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
