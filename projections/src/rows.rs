//! The rows as a fold sees them, and the changes it leaves behind.

mod overlay;
mod packed;

pub(crate) use overlay::{Commit, EVIDENCE_PER_ROW, Evidence, Overlay, space};
pub use packed::Packed;

use cx_model::Recorded;

use crate::projection::{Figure, Private, Projection};
use crate::store::{Store, StoreError};

/// The key type of a view's private rows.
pub type PrivateKey<V> = <<V as Projection>::Private as Private>::Key;
/// The type of a view's private rows.
pub type PrivateRow<V> = <<V as Projection>::Private as Private>::Row;

/// The rows of a view while one event is folded.
///
/// Rows are read on first touch, changed in memory and written once, with the head, at the end of
/// the batch. If the store fails, reads find nothing, and the batch is abandoned afterwards: a fold
/// never sees an error.
pub struct Rows<'a, V: Projection> {
    overlay: &'a mut Overlay<V>,
    store: &'a dyn Store,
    event: &'a Recorded,
    lane: u64,
    error: &'a mut Option<StoreError>,
}

impl<'a, V: Projection> Rows<'a, V> {
    pub(crate) fn new(
        overlay: &'a mut Overlay<V>,
        store: &'a dyn Store,
        event: &'a Recorded,
        lane: u64,
        error: &'a mut Option<StoreError>,
    ) -> Self {
        Self { overlay, store, event, lane, error }
    }

    /// The row, if there is one.
    pub fn get(&mut self, key: &V::Key) -> Option<&V::View> {
        self.overlay.rows.get(self.store, key, self.lane, self.error)
    }

    /// Changes a row; where there is none, an empty one.
    pub fn update(&mut self, key: &V::Key, change: impl FnOnce(&mut V::View)) {
        let slot = self.overlay.rows.touch(self.store, key, self.event, self.lane, self.error);
        change(slot.value.get_or_insert_default());
    }

    /// Puts a row in the place of what was there.
    pub fn put(&mut self, key: &V::Key, row: V::View) {
        self.overlay.rows.put(self.store, key, row, self.event, self.lane, self.error);
    }

    /// Removes a row. Its provenance goes with it.
    pub fn remove(&mut self, key: &V::Key) {
        self.overlay.rows.remove(self.store, key, self.event, self.lane, self.error);
    }

    /// Adds a signed delta to a sum over customers, from any lane, and keeps the event as evidence.
    pub fn add(&mut self, cell: &V::Key, delta: &V::View)
    where
        V::View: Figure,
    {
        self.overlay.add(self.store, cell, delta, self.event, self.error);
    }

    /// The private row, if there is one.
    pub fn private(&mut self, key: &PrivateKey<V>) -> Option<&PrivateRow<V>> {
        self.overlay.private.get(self.store, key, self.lane, self.error)
    }

    /// Changes a private row; where there is none, an empty one.
    pub fn update_private(&mut self, key: &PrivateKey<V>, change: impl FnOnce(&mut PrivateRow<V>)) {
        let slot = self.overlay.private.touch(self.store, key, self.event, self.lane, self.error);
        change(slot.value.get_or_insert_default());
    }

    /// Puts a private row in the place of what was there.
    pub fn put_private(&mut self, key: &PrivateKey<V>, row: PrivateRow<V>) {
        self.overlay.private.put(self.store, key, row, self.event, self.lane, self.error);
    }

    /// Removes a private row and answers with it.
    pub fn take_private(&mut self, key: &PrivateKey<V>) -> Option<PrivateRow<V>> {
        self.overlay.private.remove(self.store, key, self.event, self.lane, self.error)
    }
}
