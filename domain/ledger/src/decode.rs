//! From the bytes the ledger keeps to the event the model knows.

use cx_model::{DecodeError, Recorded};

use crate::port::RawEvent;

/// Reads an event. Personal values in it stay sealed.
pub fn decode(raw: &RawEvent) -> Result<Recorded, DecodeError> {
    let (envelope, event) = cx_model::decode(&raw.event_type, &raw.data, &raw.metadata)?;
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
