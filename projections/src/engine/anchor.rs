//! Whether a generation was folded from this ledger: the event at its head is looked up in it.
//!
//! A ledger that was restored from an older backup, or exchanged for another, has no such event,
//! or another one at that position. A head keeps the event's number, position, time and id, all of
//! which any engine can read again; the rows below a head that agrees are of the same history.

use std::sync::Arc;

use cx_ledger::{Direction, Ledger, ReadError};
use tokio::runtime::Handle;

use crate::folder::Head;

/// The ledger as heads are compared with it.
pub(crate) struct Anchor {
    pub ledger: Arc<dyn Ledger>,
    pub handle: Handle,
    /// The last ordinal of the ledger.
    pub end: u64,
}

impl Anchor {
    /// Why rows with this head are not this ledger's; `None` if they are. It waits for the ledger:
    /// not for async threads.
    pub fn parts_from(&self, head: &Head) -> Result<Option<String>, ReadError> {
        if head.ordinal == 0 {
            return Ok(None);
        }
        if head.ordinal > self.end {
            return Ok(Some(format!(
                "the rows go up to event {} and the ledger ends with event {}: it was restored \
                 from an older backup, or it is another one",
                head.ordinal, self.end
            )));
        }
        let read = self.ledger.read_all(head.position, Direction::Backwards, 1);
        let found = match self.handle.block_on(read) {
            Ok(found) => found,
            // The ledger told its end a moment ago: an event store takes no position that is none
            // of its own.
            Err(ReadError::Engine { reason }) => {
                return Ok(Some(format!(
                    "the ledger has nothing to read at position {}: {reason}",
                    head.position
                )));
            }
            Err(error) => return Err(error),
        };
        let same = found.first().is_some_and(|event| {
            event.ordinal == head.ordinal
                && event.position == head.position
                && event.recorded_at == head.recorded_at
                && head.event.is_none_or(|id| id == event.id)
        });
        Ok((!same).then(|| {
            format!(
                "the event at position {} is not the one the rows were folded up to: the ledger \
                 was restored from an older backup, or it is another one",
                head.position
            )
        }))
    }
}
