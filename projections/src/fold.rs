//! A view folded in memory: histories as they stood, fingerprints, checks, tests.

use std::sync::Arc;

use cx_model::{Position, Recorded};

use crate::folder::{Folded, Folder, Head, read_head};
use crate::key::{Key, StartsWith};
use crate::projection::{Projection, Provenance};
use crate::rows::space;
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreError, Stretch};
use crate::stored;

/// A view in memory. It uses the code that the engine uses, and no disk.
pub struct Fold<V: Projection> {
    folder: Folder<V>,
}

impl<V: Projection> Default for Fold<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Projection> Fold<V> {
    /// An empty view.
    pub fn new() -> Self {
        Self::over(Arc::new(MemoryStore::default())).expect("memory does not fail")
    }

    pub(crate) fn over(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        Ok(Self { folder: Folder::open(store)? })
    }

    #[cfg(test)]
    pub(crate) fn check_lanes(&mut self) {
        self.folder.overlay.check_lanes();
    }

    #[cfg(test)]
    pub(crate) fn wrong_lane(&self) -> bool {
        self.folder.overlay.rows.wrong_lane || self.folder.overlay.private.wrong_lane
    }

    /// Folds a batch and commits it. Events at or before the head are skipped, a panicking fold
    /// stalls its lane.
    ///
    /// # Panics
    /// If the store fails, which memory does not.
    pub fn fold(&mut self, batch: &[Recorded]) {
        for (place, event) in batch.iter().enumerate() {
            if self.folder.fold(event) == Folded::Panicked {
                self.reopen();
                batch[..place].iter().for_each(|event| {
                    self.folder.fold(event);
                });
                self.folder.stall(event);
                self.folder.commit().expect("the store of a fold in memory does not fail");
            }
        }
        self.folder.commit().expect("the store of a fold in memory does not fail");
    }

    /// Folds one event and commits it; answers with the keys of the rows that it touched.
    pub(crate) fn fold_one(&mut self, event: &Recorded) -> Vec<V::Key> {
        if self.folder.fold(event) == Folded::Panicked {
            self.folder.stall(event);
        }
        let staged = self.folder.stage(true).expect("the store of a fold in memory does not fail");
        self.folder.store().apply().expect("memory does not fail");
        let keys = staged.deltas.iter().map(|(key, ..)| key.as_slice());
        let keys = keys.filter_map(|key| key.strip_prefix(&[space::ROWS]));
        keys.map(|key| V::Key::from_bytes(key).expect("memory keeps what was written")).collect()
    }

    /// Folds events that are not in the order of the ledger, as several workers would.
    #[cfg(test)]
    pub(crate) fn fold_in_any_order(&mut self, events: &[&Recorded]) {
        for event in events {
            self.folder.head.ordinal = 0;
            assert_eq!(self.folder.fold(event), Folded::Applied);
        }
        self.folder.commit().expect("memory does not fail");
    }

    /// Back to the last commit.
    fn reopen(&mut self) {
        let store = self.folder.store().clone();
        self.folder.overlay.discard();
        self.folder.head = read_head(&*store).ok().flatten().unwrap_or_default();
    }

    /// How far it has come, with its root.
    pub fn head(&self) -> &Head {
        &self.folder.head
    }

    /// One row.
    pub fn get(&self, key: &V::Key) -> Option<V::View> {
        self.row(key).map(|(row, _)| row)
    }

    /// One row with its provenance.
    pub fn row(&self, key: &V::Key) -> Option<(V::View, Provenance)> {
        let mut bytes = vec![space::ROWS];
        key.encode(&mut bytes);
        let bytes = self.folder.store().get(&bytes).expect("memory does not fail")?;
        let stored = stored::open(&bytes).expect("memory keeps what was written");
        let row = stored::read_row(stored.row).expect("memory keeps what was written");
        Some((row, stored.provenance))
    }

    /// All rows, in the order of their keys.
    pub fn rows(&self) -> Vec<(V::Key, V::View, Provenance)> {
        self.scan(&[space::ROWS], usize::MAX)
    }

    /// At most `limit` of the rows whose keys begin with `prefix`, in the order of their keys.
    pub fn rows_under<P: Key>(&self, prefix: &P, limit: usize) -> Vec<V::View>
    where
        V::Key: StartsWith<P>,
    {
        let mut bytes = vec![space::ROWS];
        prefix.encode(&mut bytes);
        self.scan(&bytes, limit).into_iter().map(|(_, row, _)| row).collect()
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Vec<(V::Key, V::View, Provenance)> {
        let mut rows = Vec::new();
        if limit == 0 {
            return rows;
        }
        let scan = self.folder.store().scan(&Stretch::under(prefix), &mut |key, bytes| {
            let key = V::Key::from_bytes(&key[1..])
                .map_err(|error| stored::damaged(error.to_string()))?;
            let stored = stored::open(bytes)?;
            rows.push((key, stored::read_row(stored.row)?, stored.provenance));
            Ok(rows.len() < limit)
        });
        scan.expect("memory keeps what was written");
        rows
    }
}

/// The rows of a view as one history made them, up to a position, that one included.
///
/// The events of one customer give that customer's rows as they stood.
pub fn fold_history<V: Projection>(events: &[Recorded], up_to: Position) -> Fold<V> {
    let mut fold = Fold::new();
    let end = events.partition_point(|event| event.position <= up_to);
    if events.iter().any(|event| event.ordinal == 0) {
        // From an engine that cannot tell: their order is enough for one history.
        let mut numbered = events[..end].to_vec();
        numbered.iter_mut().zip(1..).for_each(|(event, ordinal)| event.ordinal = ordinal);
        fold.fold(&numbered);
    } else {
        fold.fold(&events[..end]);
    }
    fold
}
