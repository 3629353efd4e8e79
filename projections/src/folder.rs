//! The one place where events meet rows: live, rebuilding, in tests and in histories as they stood.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cx_model::{Position, Recorded};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::projection::Projection;
use crate::root::Root;
use crate::rows::{Commit, Overlay, Rows, space};
use crate::store::{Changes, Store, StoreError};
use crate::stored;

/// How far a view has come. It is written with the rows it describes, or not at all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last event folded, 0 before the first.
    pub ordinal: u64,
    /// Its position.
    #[serde(with = "position_parts")]
    pub position: Position,
    /// When the ledger took it.
    #[serde(with = "nanoseconds")]
    pub recorded_at: Timestamp,
    /// The fingerprint of all rows.
    pub root: Root,
    /// The fingerprint of the evidence behind sums, which holds positions and so is an engine's own.
    pub evidence_root: Root,
    /// The lanes in which the fold panicked, and where.
    pub stalls: Vec<Stall>,
    /// The id of the last event folded; `None` in heads of programs that did not keep it.
    pub event: Option<Uuid>,
}

/// The head as it was before it kept the id of its event.
#[derive(Deserialize)]
struct HeadWithoutEvent {
    ordinal: u64,
    #[serde(with = "position_parts")]
    position: Position,
    #[serde(with = "nanoseconds")]
    recorded_at: Timestamp,
    root: Root,
    evidence_root: Root,
    stalls: Vec<Stall>,
}

/// A lane in which the fold panicked: its later events were not folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// The lane.
    pub lane: u64,
    /// The event's number.
    pub ordinal: u64,
    /// The event's position.
    #[serde(with = "position_parts")]
    pub position: Position,
    /// The event's type.
    pub event_type: String,
}

mod position_parts {
    use cx_model::Position;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(position: &Position, serializer: S) -> Result<S::Ok, S::Error> {
        (position.commit(), position.prepare()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        let (commit, prepare) = Deserialize::deserialize(deserializer)?;
        Ok(Position::from_parts(commit, prepare))
    }
}

mod nanoseconds {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        time.as_nanosecond().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let nanoseconds = Deserialize::deserialize(deserializer)?;
        Timestamp::from_nanosecond(nanoseconds).map_err(serde::de::Error::custom)
    }
}

impl Head {
    /// The stall that keeps this lane where it is; lane 0 keeps all.
    pub fn stall_of(&self, lane: Option<u64>) -> Option<&Stall> {
        self.stalls.iter().find(|stall| stall.lane == 0 || Some(stall.lane) == lane)
    }
}

/// Where the head stands in a store.
pub(crate) const HEAD_KEY: &[u8] = &[space::META, b'h'];

/// Reads the head; `None` if nothing was ever committed.
pub(crate) fn read_head(store: &dyn Store) -> Result<Option<Head>, StoreError> {
    let Some(bytes) = store.get(HEAD_KEY)? else { return Ok(None) };
    head_of(&bytes).map(Some)
}

/// The head that was kept as these bytes, by this program or an earlier one.
pub(crate) fn head_of(bytes: &[u8]) -> Result<Head, StoreError> {
    let row = stored::open(bytes)?.row;
    stored::read_row(row).or_else(|_| {
        let earlier: HeadWithoutEvent = stored::read_row(row)?;
        let HeadWithoutEvent { ordinal, position, recorded_at, root, evidence_root, stalls } =
            earlier;
        Ok(Head { ordinal, position, recorded_at, root, evidence_root, stalls, event: None })
    })
}

/// What happened to one event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Folded {
    /// Its rows are changed.
    Applied,
    /// It was folded before, or its lane stalls.
    Skipped,
    /// The fold panicked. Everything since the last commit is lost and must be folded again.
    Panicked,
}

/// Folds events into a store, batch by batch.
pub(crate) struct Folder<V: Projection> {
    pub head: Head,
    pub overlay: Overlay<V>,
    store: Arc<dyn Store>,
    error: Option<StoreError>,
}

/// A commit, written but not yet visible.
pub(crate) struct Staged {
    pub head: Head,
    pub deltas: Vec<(Vec<u8>, Option<Root>, Option<Root>)>,
}

impl<V: Projection> Folder<V> {
    pub fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let head = read_head(&*store)?.unwrap_or_default();
        Ok(Self { head, overlay: Overlay::new(), store, error: None })
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Folds one event, unless it lies at or before the head.
    pub fn fold(&mut self, event: &Recorded) -> Folded {
        if event.ordinal <= self.head.ordinal {
            return Folded::Skipped;
        }
        let lane = V::lane(event);
        if !self.head.stalls.is_empty() && self.head.stall_of(Some(lane)).is_some() {
            self.advance(event);
            return Folded::Skipped;
        }
        let mut rows = Rows::new(&mut self.overlay, &*self.store, event, lane, &mut self.error);
        // The overlay is thrown away if the fold panics, so nothing half done is seen.
        if catch_unwind(AssertUnwindSafe(|| V::apply(event, &mut rows))).is_err() {
            self.overlay.discard();
            return Folded::Panicked;
        }
        self.advance(event);
        Folded::Applied
    }

    /// Notes that this event's lane stalls, and goes past the event.
    pub fn stall(&mut self, event: &Recorded) {
        self.head.stalls.push(Stall {
            lane: V::lane(event),
            ordinal: event.ordinal,
            position: event.position,
            event_type: event.event.event_type().to_owned(),
        });
        self.advance(event);
    }

    fn advance(&mut self, event: &Recorded) {
        self.head.ordinal = event.ordinal;
        self.head.position = event.position;
        self.head.recorded_at = event.recorded_at;
        self.head.event = Some(event.id);
    }

    /// Nothing but the head moved since the last commit, and nothing failed.
    pub fn only_head_moved(&self) -> bool {
        self.error.is_none() && !self.overlay.is_touched()
    }

    /// Writes what was folded since the last commit, with the head, and keeps no row in memory.
    /// `Store::apply` shows it.
    pub fn stage(&mut self, want_deltas: bool) -> Result<Staged, StoreError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let Commit { mut changes, root, evidence_root, deltas } = self.overlay.commit(want_deltas);
        self.head.root.add(root);
        self.head.evidence_root.add(evidence_root);
        let keys_of_changes = changes.iter().map(|(key, _)| key.clone());
        let deltas = deltas.into_iter().flatten();
        let deltas = keys_of_changes.zip(deltas).map(|(key, (before, now))| (key, before, now));
        let deltas = deltas.collect();
        put_head(&mut changes, &self.head);
        self.store.stage(changes)?;
        Ok(Staged { head: self.head.clone(), deltas })
    }

    /// Writes at once, for stores that nobody reads meanwhile.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.stage(false)?;
        self.store.apply()?;
        self.store.settle()
    }
}

/// The head's key sorts before all rows.
fn put_head(changes: &mut Changes, head: &Head) {
    let (bytes, _) = stored::seal(&crate::projection::Provenance::default(), head);
    changes.insert(0, (HEAD_KEY.to_vec(), Some(bytes)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::Provenance;

    #[test]
    fn a_head_that_was_kept_without_its_event_can_still_be_read() {
        let head = Head { ordinal: 7, event: Some(Uuid::from_u128(9)), ..Head::default() };
        let (bytes, _) = stored::seal(&Provenance::default(), &head);
        assert_eq!(head_of(&bytes).unwrap(), head);
        // As it was: the same fields but the last.
        let (position, time, no_stalls) = ((0u64, 0u64), 0i128, 0u8);
        let earlier = (7u64, position, time, Root::default(), Root::default(), no_stalls);
        let (bytes, _) = stored::seal(&Provenance::default(), &earlier);
        assert_eq!(head_of(&bytes).unwrap(), Head { event: None, ..head });
        assert!(head_of(&bytes[..bytes.len() - 1]).is_err());
    }
}
