//! Events of others: the ledger keeps them for programs that use it as their event store; its
//! views know them as unknown.
//!
//! Such an event may have data that is no JSON, metadata of any bytes, the name of one of the
//! model's types and an id that another stream has too. So it is marked: its metadata begin with a
//! zero byte, as no JSON does, followed by its form, its own id, and the metadata it came with; the
//! id under which the ledger holds it is derived from its stream and its own id.

use bytes::{BufMut, Bytes, BytesMut};
use cx_model::{StreamName, derived_id};
use uuid::Uuid;

use crate::port::{RawEvent, RawNewEvent};

/// The first byte of a foreign event's metadata.
const MARK: u8 = 0;
/// The mark, the form and the id.
const HEADER: usize = 18;

/// What a foreign event says of itself beside its type and data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its own id: one event of a stream has it.
    pub id: Uuid,
    /// Whether its data are said to be JSON.
    pub json: bool,
    /// What surrounds it, any bytes.
    pub metadata: Bytes,
}

impl Foreign {
    /// The event as the ledger keeps it in a stream.
    pub fn mark(
        self,
        stream: &StreamName,
        event_type: std::sync::Arc<str>,
        data: Bytes,
    ) -> RawNewEvent {
        let mut metadata = BytesMut::with_capacity(HEADER + self.metadata.len());
        metadata.put_u8(MARK);
        metadata.put_u8(u8::from(self.json));
        metadata.put_slice(self.id.as_bytes());
        metadata.put_slice(&self.metadata);
        let mut buffer = Uuid::encode_buffer();
        let own = self.id.simple().encode_lower(&mut buffer);
        let id = derived_id(&["foreign", stream.as_str(), own]);
        RawNewEvent { id, event_type, data, metadata: metadata.freeze() }
    }

    /// What an event says of itself, if it is foreign.
    pub fn of(event: &RawEvent) -> Option<Self> {
        if !is_foreign(&event.metadata) {
            return None;
        }
        let id = Uuid::from_slice(&event.metadata[2..HEADER]).ok()?;
        let json = event.metadata[1] & 1 == 1;
        Some(Self { id, json, metadata: event.metadata.slice(HEADER..) })
    }
}

/// Whether metadata are those of a foreign event.
pub(crate) fn is_foreign(metadata: &[u8]) -> bool {
    metadata.len() >= HEADER && metadata[0] == MARK
}

/// How much of these metadata is the mark of a foreign event.
pub(crate) fn mark_size(metadata: &[u8]) -> usize {
    if is_foreign(metadata) { HEADER } else { 0 }
}

#[cfg(test)]
mod tests {
    use cx_model::{Event, Position};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_foreign_event_reads_back_and_is_unknown_whatever_its_type() {
        let stream = StreamName::new("anything at all").unwrap();
        let foreign =
            Foreign { id: Uuid::from_u128(7), json: false, metadata: Bytes::from_static(b"\xff{") };
        let new = foreign.clone().mark(&stream, "CaseClosed".into(), Bytes::from_static(b"\0\xfe"));
        let other = foreign.clone().mark(
            &StreamName::new("other").unwrap(),
            "CaseClosed".into(),
            Bytes::new(),
        );
        assert_ne!(new.id, other.id);
        let raw = RawEvent {
            position: Position::new(1),
            ordinal: 1,
            stream,
            revision: 0,
            id: new.id,
            event_type: new.event_type,
            recorded_at: Timestamp::UNIX_EPOCH,
            data: new.data,
            metadata: new.metadata,
        };
        assert_eq!(Foreign::of(&raw), Some(foreign));
        let read = crate::decode(&raw).unwrap();
        assert!(matches!(read.event, Event::Unknown(_)));
    }
}
