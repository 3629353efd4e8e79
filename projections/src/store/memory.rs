//! Rows in memory: for tests, fingerprints, histories as they stood, and checks.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, RwLock};

use super::{Changes, Store, StoreError, Stretch, Visit};

/// A sorted map. It loses everything when dropped.
#[derive(Default)]
pub(crate) struct MemoryStore {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    staged: Mutex<Changes>,
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, stretch: &Stretch, visit: Visit<'_>) -> Result<(), StoreError> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        if is_empty(stretch) {
            return Ok(());
        }
        let mut range = rows.range((stretch.from.clone(), stretch.to.clone()));
        while let Some((key, row)) = if stretch.reverse { range.next_back() } else { range.next() }
        {
            if !visit(key, row)? {
                break;
            }
        }
        Ok(())
    }

    fn stage(&self, changes: Changes) -> Result<(), StoreError> {
        *self.staged.lock().unwrap_or_else(PoisonError::into_inner) = changes;
        Ok(())
    }

    fn apply(&self) -> Result<(), StoreError> {
        let staged =
            std::mem::take(&mut *self.staged.lock().unwrap_or_else(PoisonError::into_inner));
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (key, row) in staged {
            match row {
                Some(row) => rows.insert(key, row),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }

    fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.iter().map(|(key, row)| (key.len() + row.len()) as u64).sum()
    }
}

/// A stretch whose start lies behind its end, which a map's range would not take.
pub(crate) fn is_empty(stretch: &Stretch) -> bool {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    match (&stretch.from, &stretch.to) {
        (Unbounded, _) | (_, Unbounded) => false,
        (Included(from), Included(to)) => from > to,
        (Included(from) | Excluded(from), Excluded(to) | Included(to)) => from >= to,
    }
}
