//! Between events as the ledger holds them and as the protocol carries them.

use std::collections::HashMap;
use std::sync::Arc;

use cx_ledger::{Expected, Foreign, RawEvent};
use cx_model::StreamName;
use uuid::Uuid;

use super::fault::Fault;
use super::store::Proposed;
use super::wire::shared::{Empty, StreamIdentifier, WireId};
use super::wire::streams::{
    IdChoice, IdOption, ProposedEvent, StreamExpectation, WireEvent, WireExpected,
};

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// In which form a client wants ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    Text,
    Halves,
}

impl Ids {
    pub fn of(option: Option<&IdOption>) -> Self {
        match option.and_then(|option| option.choice) {
            Some(IdChoice::Text(Empty {})) => Self::Text,
            _ => Self::Halves,
        }
    }

    pub fn wire(self, id: Uuid) -> WireId {
        match self {
            Self::Text => WireId::text(id),
            Self::Halves => WireId::halves(id),
        }
    }
}

/// The name of a stream that a client named.
pub(super) fn stream_name(named: Option<&StreamIdentifier>) -> Result<StreamName, Fault> {
    let bytes = named.map(|named| &named.stream_name[..]).unwrap_or_default();
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Fault::Bad("the name of the stream is not UTF-8".into()))?;
    StreamName::new(text).map_err(|error| Fault::Bad(error.to_string()))
}

/// What a client expects of a stream.
pub(super) fn expected(wire: Option<WireExpected>) -> Expected {
    match wire {
        Some(WireExpected::Revision(revision)) => Expected::Revision(revision),
        Some(WireExpected::NoStream(_)) => Expected::NoStream,
        Some(WireExpected::Exists(_)) => Expected::StreamExists,
        Some(WireExpected::Any(_)) | None => Expected::Any,
    }
}

/// A stream and what is expected of it.
pub(super) fn expectation(
    options: Option<&StreamExpectation>,
) -> Result<(StreamName, Expected), Fault> {
    let options = options.ok_or_else(|| Fault::Bad("the options are missing".into()))?;
    Ok((stream_name(options.stream.as_ref())?, expected(options.expected)))
}

/// An event that a client proposes.
pub(super) fn proposed(event: ProposedEvent) -> Result<Proposed, Fault> {
    let ProposedEvent { id, system, metadata, data } = event;
    let property = |name: &'static str| system.get(name).ok_or(Fault::Missing(name));
    let event_type: Arc<str> = property("type")?.as_str().into();
    let json = property("content-type")? == JSON;
    if event_type.is_empty() || event_type.len() > 4096 {
        return Err(Fault::Bad("the type of an event has 1 to 4096 bytes".into()));
    }
    let id = match id {
        None => Uuid::new_v4(),
        Some(id) => id.id().ok_or_else(|| Fault::Bad("the id of an event is no UUID".into()))?,
    };
    Ok(Proposed { id, event_type, json, data, metadata })
}

/// The revision that stands for a stream's end on the wire.
const DELETED_REVISION: u64 = i64::MAX as u64;

/// An event as a client reads it.
pub(super) fn wire(event: &RawEvent, ids: Ids) -> WireEvent {
    let foreign = Foreign::of(event);
    let (id, json, metadata) = match foreign {
        Some(Foreign { id, json, metadata }) => (id, json, metadata),
        None => (event.id, true, event.metadata.clone()),
    };
    let mut system = HashMap::with_capacity(3);
    system.insert("type".to_owned(), event.event_type.as_ref().to_owned());
    system.insert("content-type".to_owned(), if json { JSON } else { BYTES }.to_owned());
    let ticks = event.recorded_at.as_nanosecond() / 100;
    system.insert("created".to_owned(), ticks.to_string());
    let is_tombstone =
        &*event.event_type == super::state::TOMBSTONE && !event.stream.as_str().starts_with("$$");
    WireEvent {
        id: Some(ids.wire(id)),
        stream: Some(StreamIdentifier::of(event.stream.as_str())),
        revision: if is_tombstone { DELETED_REVISION } else { event.revision },
        prepare: event.position.prepare(),
        commit: event.position.commit(),
        system,
        metadata,
        data: event.data.clone(),
    }
}
