//! From the bytes the ledger keeps to the event the model knows.

use cx_model::event::UnknownEvent;
use cx_model::{Actor, DecodeError, Envelope, Event, Recorded};
use jiff::Timestamp;

use crate::foreign::is_foreign;
use crate::port::RawEvent;

/// Reads an event. Personal values in it stay sealed; a foreign event is unknown.
pub fn decode(raw: &RawEvent) -> Result<Recorded, DecodeError> {
    let (envelope, event) = if is_foreign(&raw.metadata) {
        foreign(raw)
    } else {
        cx_model::decode(&raw.event_type, &raw.data, &raw.metadata)?
    };
    Ok(Recorded {
        ordinal: raw.ordinal,
        position: raw.position,
        stream: raw.stream.clone(),
        revision: raw.revision,
        id: raw.id,
        recorded_at: raw.recorded_at,
        envelope,
        event,
    })
}

/// What the model knows of a foreign event: its type and its data, unread.
fn foreign(raw: &RawEvent) -> (Envelope, Event) {
    let unknown =
        UnknownEvent { event_type: raw.event_type.as_ref().into(), data: raw.data.to_vec() };
    let actor = Actor::System { name: "foreign".into() };
    (Envelope::new(Timestamp::UNIX_EPOCH, actor), Event::Unknown(unknown))
}
