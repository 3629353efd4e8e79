//! Rows that were touched since the last commit, and what a commit makes of them.

use std::collections::BTreeMap;

use cx_model::{Position, Recorded};
use serde::{Deserialize, Serialize};

use super::{PrivateKey, PrivateRow};
use crate::key::Key;
use crate::projection::{Figure, Projection, Provenance, View};
use crate::root::Root;
use crate::store::{Changes, Store, StoreError};
use crate::stored;

/// The first byte of every key in a store says what it names.
pub(crate) mod space {
    pub const META: u8 = 0;
    pub const ROWS: u8 = 1;
    pub const PRIVATE: u8 = 2;
    pub const EVIDENCE: u8 = 3;
}

/// A row in memory: what it is now, and the fingerprint of what the store has.
pub(crate) struct Slot<R> {
    pub value: Option<R>,
    pub provenance: Provenance,
    stored: Option<Root>,
    changed: bool,
}

/// All touched rows of one kind.
pub(crate) struct Space<K, R> {
    tag: u8,
    slots: BTreeMap<K, Slot<R>>,
    /// Which lane wrote or read which row, where that is checked.
    lanes: Option<BTreeMap<K, u64>>,
    pub wrong_lane: bool,
    /// A rough count of the bytes in memory.
    bytes: usize,
    /// Something changed since the last commit.
    touched: bool,
}

impl<K: Key, R: View> Space<K, R> {
    fn new(tag: u8) -> Self {
        Self {
            tag,
            slots: BTreeMap::new(),
            lanes: None,
            wrong_lane: false,
            bytes: 0,
            touched: false,
        }
    }

    fn key_bytes(&self, key: &K) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40);
        bytes.push(self.tag);
        key.encode(&mut bytes);
        bytes
    }

    fn read(&self, store: &dyn Store, key: &K) -> Result<(Slot<R>, usize), StoreError> {
        let key_bytes = self.key_bytes(key);
        let Some(bytes) = store.get(&key_bytes)? else {
            let provenance = Provenance::default();
            return Ok((Slot { value: None, provenance, stored: None, changed: false }, 0));
        };
        let stored = stored::open(&bytes)?;
        let slot = Slot {
            value: Some(stored::read_row(stored.row)?),
            provenance: stored.provenance,
            stored: Some(Root::of_row(&key_bytes, stored.row)),
            changed: false,
        };
        Ok((slot, bytes.len()))
    }

    fn load(&mut self, store: &dyn Store, key: &K, error: &mut Option<StoreError>) {
        if self.slots.contains_key(key) {
            return;
        }
        let (slot, size) = self.read(store, key).unwrap_or_else(|failure| {
            error.get_or_insert(failure);
            let provenance = Provenance::default();
            (Slot { value: None, provenance, stored: None, changed: false }, 0)
        });
        self.bytes += 200 + 3 * size;
        self.slots.insert(key.clone(), slot);
    }

    /// A row belongs to the lane that wrote it; rows of lane 0 may be read by all.
    fn claim(&mut self, key: &K, lane: u64, writes: bool) {
        let Some(lanes) = &mut self.lanes else { return };
        match lanes.get(key) {
            Some(owner) if *owner == lane || (*owner == 0 && !writes) => {}
            None if writes => {
                lanes.insert(key.clone(), lane);
            }
            None => {}
            Some(_) => self.wrong_lane = true,
        }
    }

    pub fn get(
        &mut self,
        store: &dyn Store,
        key: &K,
        lane: u64,
        error: &mut Option<StoreError>,
    ) -> Option<&R> {
        self.claim(key, lane, false);
        self.load(store, key, error);
        self.slots.get(key).and_then(|slot| slot.value.as_ref())
    }

    pub fn touch(
        &mut self,
        store: &dyn Store,
        key: &K,
        event: &Recorded,
        lane: u64,
        error: &mut Option<StoreError>,
    ) -> &mut Slot<R> {
        self.claim(key, lane, true);
        self.touch_shared(store, key, event, error)
    }

    fn touch_shared(
        &mut self,
        store: &dyn Store,
        key: &K,
        event: &Recorded,
        error: &mut Option<StoreError>,
    ) -> &mut Slot<R> {
        self.load(store, key, error);
        self.bytes += 150;
        self.touched = true;
        let slot = self.slots.get_mut(key).expect("the row was loaded just now");
        slot.provenance.touch(event.ordinal);
        slot.changed = true;
        slot
    }

    pub fn remove(
        &mut self,
        store: &dyn Store,
        key: &K,
        event: &Recorded,
        lane: u64,
        error: &mut Option<StoreError>,
    ) -> Option<R> {
        let slot = self.touch(store, key, event, lane, error);
        slot.provenance = Provenance::default();
        slot.value.take()
    }

    /// Writes the changed rows behind `changes`, in the order of their keys, and says by how much
    /// the root changes. The rows stay in memory, as the store has them now.
    fn commit(&mut self, commit: &mut Commit, keys: Option<&mut Vec<K>>) {
        let mut changed_keys = keys;
        let tag = self.tag;
        self.slots.retain(|key, slot| {
            if !std::mem::take(&mut slot.changed) {
                return true;
            }
            let mut key_bytes = Vec::with_capacity(40);
            key_bytes.push(tag);
            key.encode(&mut key_bytes);
            let value = slot.value.as_ref().map(|row| stored::seal(&slot.provenance, row));
            let now =
                value.as_ref().map(|(bytes, start)| Root::of_row(&key_bytes, &bytes[*start..]));
            let before = std::mem::replace(&mut slot.stored, now);
            if before.is_some() || now.is_some() {
                commit.deltas.push(Delta { tag, before, now });
                commit.changes.push((key_bytes, value.map(|(bytes, _)| bytes)));
                if let Some(keys) = &mut changed_keys {
                    keys.push(key.clone());
                }
            }
            now.is_some()
        });
        self.touched = false;
    }

    fn discard(&mut self) {
        self.slots.clear();
        self.bytes = 0;
        self.touched = false;
    }
}

/// What one row does to its root.
pub(crate) struct Delta {
    pub tag: u8,
    pub before: Option<Root>,
    pub now: Option<Root>,
}

/// What one batch of events comes to: a delta beside every change.
#[derive(Default)]
pub(crate) struct Commit {
    pub changes: Changes,
    pub deltas: Vec<Delta>,
}

/// The events behind a sum, some to a row: the sum before the first of them, and what each added.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence<R> {
    pub before: R,
    pub entries: Vec<Proof<R>>,
}

/// One event and what it added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proof<R> {
    pub ordinal: u64,
    /// The position's parts as distances from the ordinal and from each other: small numbers.
    lead: u64,
    lag: u64,
    pub delta: R,
}

impl<R> Proof<R> {
    fn new(event: &Recorded, delta: R) -> Self {
        let position = event.position;
        Self {
            ordinal: event.ordinal,
            lead: position.commit().wrapping_sub(event.ordinal),
            lag: position.commit().wrapping_sub(position.prepare()),
            delta,
        }
    }

    pub fn position(&self) -> Position {
        let commit = self.ordinal.wrapping_add(self.lead);
        Position::from_parts(commit, commit.wrapping_sub(self.lag))
    }
}

/// How many events one row of evidence holds.
pub(crate) const EVIDENCE_PER_ROW: u64 = 64;

/// Everything touched since the last commit.
pub(crate) struct Overlay<V: Projection> {
    pub rows: Space<V::Key, V::View>,
    pub private: Space<PrivateKey<V>, PrivateRow<V>>,
    evidence: Space<(V::Key, u32), Evidence<V::View>>,
}

impl<V: Projection> Overlay<V> {
    pub fn new() -> Self {
        Self {
            rows: Space::new(space::ROWS),
            private: Space::new(space::PRIVATE),
            evidence: Space::new(space::EVIDENCE),
        }
    }

    #[cfg(test)]
    /// From now on notes which lane writes which row.
    pub fn check_lanes(&mut self) {
        self.rows.lanes = Some(BTreeMap::new());
        self.private.lanes = Some(BTreeMap::new());
    }

    /// Roughly how much memory it takes.
    pub fn bytes(&self) -> usize {
        self.rows.bytes + self.private.bytes + self.evidence.bytes
    }

    /// Forgets all rows, and so everything since the last commit.
    pub fn discard(&mut self) {
        self.rows.discard();
        self.private.discard();
        self.evidence.discard();
    }

    /// Some row changed since the last commit.
    pub fn is_touched(&self) -> bool {
        self.rows.touched || self.private.touched
    }

    pub fn add(
        &mut self,
        store: &dyn Store,
        cell: &V::Key,
        delta: &V::View,
        event: &Recorded,
        error: &mut Option<StoreError>,
    ) where
        V::View: Figure,
    {
        let slot = self.rows.touch_shared(store, cell, event, error);
        let place = (slot.provenance.count.max(1) - 1) / EVIDENCE_PER_ROW;
        let sum = slot.value.get_or_insert_default();
        let block = (cell.clone(), place as u32);
        let slot = self.evidence.touch_shared(store, &block, event, error);
        let evidence =
            slot.value.get_or_insert_with(|| Evidence { before: sum.clone(), entries: Vec::new() });
        match evidence.entries.last_mut() {
            Some(last) if last.ordinal == event.ordinal => last.delta.add(delta),
            _ => evidence.entries.push(Proof::new(event, delta.clone())),
        }
        sum.add(delta);
    }

    /// Turns what was touched into changes, sorted by key, and the keys of the rows that changed.
    pub fn commit(&mut self, keys: Option<&mut Vec<V::Key>>) -> Commit {
        let mut commit = Commit::default();
        self.rows.commit(&mut commit, keys);
        self.private.commit(&mut commit, None);
        self.evidence.commit(&mut commit, None);
        commit
    }
}
