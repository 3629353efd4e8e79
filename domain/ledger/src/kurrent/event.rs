//! Between events as the ledger knows them and as the client does.

use std::sync::Arc;

use cx_model::{Position, StreamName};
use eventstore::{EventData, RecordedEvent};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::kept;
use super::metadata::{Limits, subject_of};
use crate::port::{RawEvent, RawNewEvent};
use crate::trace;

/// What stands at a place of the event store.
pub(super) enum Found {
    /// An event of the ledger. Its ordinal is not known yet.
    Event(RawEvent),
    /// Something that says how much of a stream is kept.
    Limits(Limits),
    /// A link, or something of the event store's own.
    Other,
}

/// What the client gives.
pub(super) struct Read {
    pub position: Position,
    pub found: Found,
}

fn position_of(event: &RecordedEvent) -> Position {
    Position::from_parts(event.position.commit, event.position.prepare)
}

/// When the event store took an event. The client keeps whole seconds only, and the text.
fn created(event: &RecordedEvent) -> Timestamp {
    let ticks = event.metadata.get("created").and_then(|text| text.parse::<i128>().ok());
    let time = ticks.and_then(|ticks| Timestamp::from_nanosecond(ticks * 100).ok());
    time.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Takes an event of the event store apart.
pub(super) fn read(event: RecordedEvent) -> Read {
    let position = position_of(&event);
    let found = find(event, position).unwrap_or(Found::Other);
    Read { position, found }
}

fn find(event: RecordedEvent, position: Position) -> Option<Found> {
    let name = event.stream_id();
    if let Some(subject) = subject_of(name) {
        return Limits::of(subject, &event.data).map(Found::Limits);
    }
    if name.starts_with('$') {
        return None;
    }
    if event.event_type == "$streamDeleted" {
        return Some(Found::Limits(Limits::deleted(name)));
    }
    if event.event_type.starts_with('$') {
        return None;
    }
    let stream = StreamName::new(name).ok()?;
    let created = created(&event);
    let (metadata, recorded_at) = kept::parts(event.custom_metadata);
    Some(Found::Event(RawEvent {
        position,
        ordinal: 0,
        stream,
        revision: event.revision,
        id: event.id,
        event_type: Arc::from(event.event_type),
        recorded_at: recorded_at.unwrap_or(created),
        data: event.data,
        metadata,
    }))
}

/// An event to be appended. Data that is JSON is said to be.
pub(super) fn write(event: &RawNewEvent) -> EventData {
    let json = serde_json::from_slice::<&RawValue>(&event.data).ok();
    let json = json.filter(|json| json.get().len() == event.data.len());
    let data = json.and_then(|json| EventData::json(&event.event_type, &json).ok());
    let data = data.unwrap_or_else(|| EventData::binary(&event.event_type, event.data.clone()));
    data.id(event.id).metadata(trace::into_metadata(&event.metadata))
}
