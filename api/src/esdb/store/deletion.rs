//! Deleting a stream, and letting it begin later.

use bytes::Bytes;
use cx_ledger::Expected;
use cx_model::{Position, StreamName};

use super::super::fault::{Fault, expected_number};
use super::super::state::{Deleted, TOMBSTONE};
use super::{Outcome, Store, metadata_event, system_event};

impl Store {
    /// Lets a stream begin at another revision.
    pub async fn truncate(&self, stream: &StreamName, first: u64) -> Result<(), Fault> {
        let _writing = self.lock(stream).write().await;
        let state = self.state_now(stream).await?;
        self.remembered().remove(stream);
        self.write(vec![metadata_event(stream, state.with_first(Some(first)))?]).await.map(drop)
    }

    /// Deletes a stream: for ever, or until it is appended to again.
    pub async fn delete(
        &self,
        stream: &StreamName,
        expected: Expected,
        for_ever: bool,
    ) -> Result<Position, Fault> {
        if self.owns(stream) {
            return Err(never_less(stream));
        }
        if stream.as_str().starts_with('$') {
            let reason = "streams whose names begin with $ are the event store's";
            return Err(Fault::Denied(reason.into()));
        }
        let _writing = self.lock(stream).write().await;
        let state = self.state_now(stream).await?;
        if state.deleted == Deleted::ForEver {
            return Err(Fault::Deleted { stream: stream.to_string() });
        }
        if state.deleted == Deleted::Softly && expected == Expected::StreamExists {
            return Err(Fault::Deleted { stream: stream.to_string() });
        }
        let last = self.last_revision(stream).await?;
        let fits = expected.holds(last) && (for_ever || last.is_some());
        if !fits {
            return Err(Fault::WrongVersion {
                stream: stream.to_string(),
                expected: expected_number(expected),
                actual: last.map_or(-1, u64::cast_signed),
            });
        }
        let mut appends = Vec::new();
        if for_ever {
            appends.push(system_event(stream.clone(), TOMBSTONE, Bytes::from_static(b"{}")));
        } else {
            appends.push(metadata_event(stream, state.with_first(None))?);
        }
        self.remembered().remove(stream);
        match self.write(appends).await? {
            Outcome::Appended(appended) => Ok(appended.position),
            Outcome::Conflict(_) => Err(Fault::Unavailable("the stream changed; try again".into())),
        }
    }
}

/// Refuses to take something away from a stream of the ledger's own.
pub(super) fn never_less(stream: &StreamName) -> Fault {
    Fault::Denied(format!(
        "streams of the category {} are the ledger's own: they are never deleted or truncated",
        stream.category()
    ))
}
