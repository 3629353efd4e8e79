//! The limits every engine keeps, checked before anything is done.

use crate::error::AppendError;
use crate::foreign::mark_size;
use crate::port::{APPEND_LIMIT, Append, EVENT_LIMIT, RawNewEvent};

/// The bytes that whoever appends an event knows of: the mark of a foreign one is the ledger's.
fn event_size(event: &RawNewEvent) -> usize {
    let metadata = event.metadata.len() - mark_size(&event.metadata);
    event.event_type.len() + event.data.len() + metadata
}

/// Refuses an event or a set of appends that is over its limit.
pub(crate) fn check_limits(appends: &[Append]) -> Result<(), AppendError> {
    let mut total = 0;
    for event in appends.iter().flat_map(|append| &append.events) {
        let size_bytes = event_size(event);
        if size_bytes > EVENT_LIMIT {
            return Err(AppendError::EventTooLarge { size_bytes, limit_bytes: EVENT_LIMIT });
        }
        total += size_bytes;
    }
    if total > APPEND_LIMIT {
        return Err(AppendError::AppendTooLarge { size_bytes: total, limit_bytes: APPEND_LIMIT });
    }
    Ok(())
}
