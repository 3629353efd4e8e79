//! Rows that were touched since the last commit, and what a commit makes of them.

use std::collections::{BTreeMap, HashMap};

use cx_model::{Position, Recorded};
use serde::{Deserialize, Serialize};

use super::packed::Packed;
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
    /// What it was taken to weigh, and the number of events after which it is weighed again.
    weight: usize,
    weighed_again_at: u64,
}

/// What a row in memory takes beside its slot and what that points to: its key, its place in the map.
const ENTRY_BYTES: usize = 150;

impl<R: View> Slot<R> {
    fn new(value: Option<R>, provenance: Provenance, stored: Option<Root>, size: usize) -> Self {
        let weighed_again_at = (2 * provenance.count).max(1);
        let weight = Self::weight_of(size);
        Self { value, provenance, stored, changed: false, weight, weighed_again_at }
    }

    fn weight_of(size: usize) -> usize {
        ENTRY_BYTES + size_of::<Self>() + 2 * size
    }

    /// Weighs a row that many events have touched since it was weighed; by how much it grew.
    fn weigh(&mut self) -> isize {
        if self.provenance.count < self.weighed_again_at { 0 } else { self.weigh_now() }
    }

    fn weigh_now(&mut self) -> isize {
        self.weighed_again_at = 2 * self.provenance.count;
        let weight = Self::weight_of(self.value.as_ref().map_or(0, stored::size_of));
        let grown = weight as isize - self.weight as isize;
        self.weight = weight;
        grown
    }
}

/// All touched rows of one kind, by the bytes of their keys.
pub(crate) struct Space<K, R> {
    tag: u8,
    slots: HashMap<Box<[u8]>, Box<Slot<R>>>,
    /// The bytes of the key that was asked for last.
    key: Vec<u8>,
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
            slots: HashMap::new(),
            key: Vec::new(),
            lanes: None,
            wrong_lane: false,
            bytes: 0,
            touched: false,
        }
    }

    fn read(store: &dyn Store, key: &[u8]) -> Result<Slot<R>, StoreError> {
        let Some(bytes) = store.get(key)? else {
            return Ok(Slot::new(None, Provenance::default(), None, 0));
        };
        let stored = stored::open(&bytes)?;
        let root = Root::of_row(key, stored.row);
        let row = stored::read_row(stored.row)?;
        Ok(Slot::new(Some(row), stored.provenance, Some(root), stored.row.len()))
    }

    /// The row in memory, read on first touch.
    fn load(&mut self, store: &dyn Store, key: &K, error: &mut Option<StoreError>) -> &mut Slot<R> {
        self.key.clear();
        self.key.push(self.tag);
        key.encode(&mut self.key);
        if !self.slots.contains_key(self.key.as_slice()) {
            let slot = Self::read(store, &self.key).unwrap_or_else(|failure| {
                error.get_or_insert(failure);
                Slot::new(None, Provenance::default(), None, 0)
            });
            self.bytes += slot.weight;
            self.slots.insert(self.key.as_slice().into(), Box::new(slot));
        }
        self.slots.get_mut(self.key.as_slice()).expect("the row was loaded just now")
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
        self.load(store, key, error).value.as_ref()
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
        let grown = self.load(store, key, error).weigh();
        self.bytes = self.bytes.saturating_add_signed(grown);
        self.touched = true;
        let slot = self.slots.get_mut(self.key.as_slice()).expect("the row was loaded just now");
        slot.provenance.touch(event.ordinal);
        slot.changed = true;
        slot
    }

    /// Puts a row in the place of what was there.
    pub fn put(
        &mut self,
        store: &dyn Store,
        key: &K,
        row: R,
        event: &Recorded,
        lane: u64,
        error: &mut Option<StoreError>,
    ) {
        let slot = self.touch(store, key, event, lane, error);
        slot.value = Some(row);
        let grown = slot.weigh_now();
        self.bytes = self.bytes.saturating_add_signed(grown);
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

    /// Writes the changed rows behind `commit`, in the order of their keys. No row stays in memory.
    fn commit(&mut self, commit: &mut Commit) {
        let slots = std::mem::take(&mut self.slots);
        self.discard();
        let mut changed: Vec<_> = slots.into_iter().filter(|(_, slot)| slot.changed).collect();
        changed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (key, slot) in changed {
            let value = slot.value.as_ref().map(|row| stored::seal(&slot.provenance, row));
            let now = value.as_ref().map(|(bytes, start)| Root::of_row(&key, &bytes[*start..]));
            if slot.stored.is_none() && now.is_none() {
                continue;
            }
            let value = value.map(|(bytes, _)| bytes);
            commit.row(self.tag, (key.into_vec(), value), slot.stored, now);
        }
    }

    fn discard(&mut self) {
        self.slots.clear();
        self.bytes = 0;
        self.touched = false;
    }
}

/// What one row does to its root: before and after.
pub(crate) type Delta = (Option<Root>, Option<Root>);

/// What one batch of events comes to.
#[derive(Default)]
pub(crate) struct Commit {
    pub changes: Changes,
    /// By what the roots of the rows and of the evidence change.
    pub root: Root,
    pub evidence_root: Root,
    /// One beside every change, where they are wanted.
    pub deltas: Option<Vec<Delta>>,
}

impl Commit {
    fn row(
        &mut self,
        tag: u8,
        change: (Vec<u8>, Option<Vec<u8>>),
        before: Option<Root>,
        now: Option<Root>,
    ) {
        let root = if tag == space::EVIDENCE { &mut self.evidence_root } else { &mut self.root };
        if let Some(before) = before {
            root.subtract(before);
        }
        if let Some(now) = now {
            root.add(now);
        }
        if let Some(deltas) = &mut self.deltas {
            deltas.push((before, now));
        }
        self.changes.push(change);
    }
}

/// The events behind a sum, some to a row: the sum before the first of them, and what each added.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "R: View")]
pub(crate) struct Evidence<R: View> {
    pub before: R,
    /// The last event and where it begins among the proofs.
    last: (u64, usize),
    pub proofs: Packed<Proof<R>>,
}

impl<R: Figure> Evidence<R> {
    fn add(&mut self, event: &Recorded, delta: &R) {
        let (ordinal, start) = self.last;
        let same = ordinal == event.ordinal;
        let last = same.then(|| self.proofs.iter_from(start).next()).flatten();
        if let Some(mut last) = last {
            last.delta.add(delta);
            self.proofs.truncate(start);
            self.proofs.push(&last);
            return;
        }
        self.last = (event.ordinal, self.proofs.push_alike(&Proof::new(event, delta)));
    }
}

/// One event and what it added: written with a borrowed delta, read with one of its own.
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
        let fresh = || Evidence { before: sum.clone(), ..Evidence::default() };
        slot.value.get_or_insert_with(fresh).add(event, delta);
        sum.add(delta);
    }

    /// Turns what was touched into changes, sorted by key.
    pub fn commit(&mut self, want_deltas: bool) -> Commit {
        let deltas = want_deltas.then(Vec::new);
        let mut commit = Commit { deltas, ..Commit::default() };
        self.rows.commit(&mut commit);
        self.private.commit(&mut commit);
        self.evidence.commit(&mut commit);
        commit
    }
}
