//! Rows on disk: one sled database a view and generation, and the only place that names sled.
//!
//! A small commit is one `sled::Batch`. It is applied in the order of a hash map and under a lock
//! of the whole process, so a large commit goes another way: it is written to a side file first
//! (`redo`), becomes visible in memory at once, and is then inserted row by row in the order of the
//! keys, which is faster, takes less room and blocks nobody. A process that dies in between does the
//! inserts again when it opens.

use std::cmp::Ordering;
use std::fs;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::memory::is_empty;
use super::{Changes, Store, StoreError, Stretch, Visit};
use crate::folder::HEAD_KEY;
use crate::stored::damaged;

/// A commit of more rows than this is not one batch.
const BATCH_ROWS: usize = 2_000;

/// Rows in a directory.
pub(crate) struct DiskStore {
    /// `None` only while it is being dropped.
    database: Option<sled::Db>,
    redo: PathBuf,
    staged: Mutex<Option<Arc<Changes>>>,
    /// Visible, and on its way to the database.
    pending: RwLock<Option<Arc<Changes>>>,
}

impl DiskStore {
    /// Opens or makes the rows in a directory, and finishes a commit that was cut short.
    pub fn open(directory: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        fs::create_dir_all(directory).map_err(failed)?;
        let path = directory.join("rows");
        let database = open_database(&path, cache_bytes)?;
        let store = Self {
            database: Some(database),
            redo: directory.join("redo"),
            staged: Mutex::new(None),
            pending: RwLock::new(None),
        };
        if let Some(changes) = read_redo(&store.redo)? {
            *store.pending.write().unwrap_or_else(PoisonError::into_inner) =
                Some(Arc::new(changes));
            store.settle()?;
        }
        Ok(store)
    }

    fn database(&self) -> &sled::Db {
        self.database.as_ref().expect("the database is there until the store is dropped")
    }

    fn pending(&self) -> Option<Arc<Changes>> {
        self.pending.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        let database = self.database.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

/// A database that was closed a moment ago still holds its lock: its threads end after it.
const LOCK_PATIENCE: u32 = 500;

fn open_database(path: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(cache_bytes)
        .flush_every_ms(None)
        .mode(sled::Mode::LowSpace);
    let mut tries = 0;
    loop {
        let opened = guarded(|| match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("acquire lock") => Ok(None),
            other => other.map(Some).map_err(from_sled),
        });
        match opened? {
            Some(database) => return Ok(database),
            None if tries == LOCK_PATIENCE => {
                let reason = "another process holds the views' directory".into();
                return Err(StoreError::Failed { reason });
            }
            None => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}

/// sled answers to damage with a panic as often as with an error.
fn guarded<T>(act: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|_| Err(damaged("the database panicked over its files")))
}

fn from_sled(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            damaged("a file of the database ends too early")
        }
        sled::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            damaged(error.to_string())
        }
        sled::Error::Io(error) => failed(error),
        other => damaged(other.to_string()),
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn failed(error: std::io::Error) -> StoreError {
    StoreError::Failed { reason: error.to_string() }
}

impl Store for DiskStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(pending) = self.pending()
            && let Ok(place) = pending.binary_search_by(|(each, _)| each.as_slice().cmp(key))
        {
            return Ok(pending[place].1.clone());
        }
        guarded(|| {
            let value = self.database().get(key).map_err(from_sled)?;
            Ok(value.map(|value| value.to_vec()))
        })
    }

    fn scan(&self, stretch: &Stretch, visit: Visit<'_>) -> Result<(), StoreError> {
        if is_empty(stretch) {
            return Ok(());
        }
        let pending = self.pending();
        let pending = pending.as_deref().map_or(&[][..], |changes| within(changes, stretch));
        guarded(|| self.merged(stretch, pending, visit))
    }

    fn stage(&self, changes: Changes) -> Result<(), StoreError> {
        if changes.len() > BATCH_ROWS {
            write_redo(&self.redo, &changes)?;
        }
        *self.staged.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(changes));
        Ok(())
    }

    fn apply(&self) -> Result<(), StoreError> {
        let staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(changes) = staged else { return Ok(()) };
        if changes.len() > BATCH_ROWS {
            *self.pending.write().unwrap_or_else(PoisonError::into_inner) = Some(changes);
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for (key, value) in changes.iter() {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        guarded(|| self.database().apply_batch(batch).map_err(from_sled))
    }

    fn settle(&self) -> Result<(), StoreError> {
        let Some(changes) = self.pending() else { return Ok(()) };
        guarded(|| {
            let database = self.database();
            let head_last = changes
                .iter()
                .filter(|(key, _)| key != HEAD_KEY)
                .chain(changes.iter().filter(|(key, _)| key == HEAD_KEY));
            for (key, value) in head_last {
                match value {
                    Some(value) => database.insert(key, value.as_slice()),
                    None => database.remove(key),
                }
                .map_err(from_sled)?;
            }
            database.flush().map_err(from_sled).map(drop)
        })?;
        *self.pending.write().unwrap_or_else(PoisonError::into_inner) = None;
        match fs::remove_file(&self.redo) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }

    fn flush(&self) -> Result<(), StoreError> {
        guarded(|| self.database().flush().map_err(from_sled).map(drop))
    }

    fn size_bytes(&self) -> u64 {
        guarded(|| self.database().size_on_disk().map_err(from_sled)).unwrap_or(0)
    }
}

impl DiskStore {
    /// The rows of the database with the pending ones laid over them.
    fn merged(
        &self,
        stretch: &Stretch,
        pending: &[(Vec<u8>, Option<Vec<u8>>)],
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        let mut disk = self.database().range((stretch.from.clone(), stretch.to.clone()));
        let mut memory = pending.iter();
        let mut next_disk = || {
            let next = if stretch.reverse { disk.next_back() } else { disk.next() };
            next.transpose().map_err(from_sled)
        };
        let mut next_memory = || if stretch.reverse { memory.next_back() } else { memory.next() };
        let (mut row, mut change) = (next_disk()?, next_memory());
        loop {
            let order = match (&row, &change) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((key, _)), Some((other, _))) => {
                    let order = key.as_ref().cmp(other.as_slice());
                    if stretch.reverse { order.reverse() } else { order }
                }
            };
            let go_on = match (order, &row, &change) {
                (Ordering::Less, Some((key, value)), _) => visit(key, value)?,
                (_, _, Some((key, Some(value)))) => visit(key, value)?,
                _ => true,
            };
            if !go_on {
                return Ok(());
            }
            if order != Ordering::Greater {
                row = next_disk()?;
            }
            if order != Ordering::Less {
                change = next_memory();
            }
        }
    }
}

/// The changes whose keys lie in the stretch.
fn within<'a>(
    changes: &'a [(Vec<u8>, Option<Vec<u8>>)],
    stretch: &Stretch,
) -> &'a [(Vec<u8>, Option<Vec<u8>>)] {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let start = match &stretch.from {
        Unbounded => 0,
        Included(from) => changes.partition_point(|(key, _)| key < from),
        Excluded(from) => changes.partition_point(|(key, _)| key <= from),
    };
    let end = match &stretch.to {
        Unbounded => changes.len(),
        Included(to) => changes.partition_point(|(key, _)| key <= to),
        Excluded(to) => changes.partition_point(|(key, _)| key < to),
    };
    changes.get(start..end).unwrap_or(&[])
}

/// The redo file: for each change the length of its key, the key, the length of its value plus one
/// (0: removed), the value; at the end the CRC32C of it all. It is moved into place when it is whole.
fn write_redo(path: &Path, changes: &Changes) -> Result<(), StoreError> {
    let whole = path.with_extension("new");
    let mut file = BufWriter::with_capacity(1 << 18, fs::File::create(&whole).map_err(failed)?);
    let mut crc = 0;
    let mut put = |bytes: &[u8]| {
        crc = crc32c::crc32c_append(crc, bytes);
        file.write_all(bytes).map_err(failed)
    };
    for (key, value) in changes {
        put(&(key.len() as u32).to_le_bytes())?;
        put(key)?;
        let length = value.as_ref().map_or(0, |value| value.len() as u32 + 1);
        put(&length.to_le_bytes())?;
        put(value.as_deref().unwrap_or_default())?;
    }
    file.write_all(&crc.to_le_bytes()).and_then(|()| file.flush()).map_err(failed)?;
    fs::rename(&whole, path).map_err(failed)
}

/// The changes of a commit that was cut short.
fn read_redo(path: &Path) -> Result<Option<Changes>, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Rows may be in the database already, so a redo file that lost its bytes is damage.
    let lost = || damaged("the redo file is not what was written");
    let (mut rest, crc) = bytes.split_last_chunk::<4>().ok_or_else(lost)?;
    if crc32c::crc32c(rest) != u32::from_le_bytes(*crc) {
        return Err(lost());
    }
    let mut take = |plus_one: u32| {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        let (taken, tail) = tail.split_at_checked(length.saturating_sub(plus_one) as usize)?;
        rest = tail;
        Some(((length >= plus_one).then(|| taken.to_vec()), rest.is_empty()))
    };
    let mut changes = Changes::new();
    let mut done = rest_is_empty(&bytes);
    while !done {
        let (key, _) = take(0).ok_or_else(lost)?;
        let (value, end) = take(1).ok_or_else(lost)?;
        changes.push((key.ok_or_else(lost)?, value));
        done = end;
    }
    Ok(Some(changes))
}

/// A redo file of nothing but its checksum.
fn rest_is_empty(bytes: &[u8]) -> bool {
    bytes.len() == 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use proptest::prelude::*;

    fn rows(store: &dyn Store, stretch: &Stretch) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        store
            .scan(stretch, &mut |key, row| {
                rows.push((key.to_vec(), row.to_vec()));
                Ok(true)
            })
            .unwrap();
        rows
    }

    fn numbered(range: std::ops::Range<u32>, row: Option<&[u8]>) -> Changes {
        range.map(|n| (n.to_be_bytes().to_vec(), row.map(<[u8]>::to_vec))).collect()
    }

    #[test]
    fn a_large_commit_is_seen_whole_before_during_and_after_its_inserts() {
        let directory = tempfile::tempdir().unwrap();
        let store = DiskStore::open(directory.path(), 1 << 20).unwrap();
        store.stage(numbered(0..100, Some(b"old"))).unwrap();
        store.apply().unwrap();
        store.stage(numbered(50..5_000, Some(b"new"))).unwrap();
        assert_eq!(rows(&store, &Stretch::under(&[])).len(), 100);
        store.apply().unwrap();
        for settled in [false, true] {
            if settled {
                store.settle().unwrap();
            }
            let all = rows(&store, &Stretch::under(&[]));
            assert_eq!(all.len(), 5_000);
            assert_eq!(all[49].1, b"old");
            assert_eq!(all[50].1, b"new");
            let mut back = rows(&store, &Stretch { reverse: true, ..Stretch::under(&[0, 0, 0]) });
            back.reverse();
            assert_eq!(back, all[..256]);
        }
    }

    #[test]
    fn a_large_commit_that_was_cut_short_is_finished_when_opened() {
        let directory = tempfile::tempdir().unwrap();
        let store = DiskStore::open(directory.path(), 1 << 20).unwrap();
        store.stage(numbered(0..3_000, Some(b"row"))).unwrap();
        store.apply().unwrap();
        drop(store);
        let store = DiskStore::open(directory.path(), 1 << 20).unwrap();
        assert_eq!(rows(&store, &Stretch::under(&[])).len(), 3_000);
        assert!(!directory.path().join("redo").exists());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rows_under_way_read_as_rows_at_rest(
            first in prop::collection::btree_map(any::<u8>(), any::<u8>(), 0..40),
            second in prop::collection::btree_map(any::<u8>(), any::<Option<u8>>(), 0..40),
            from in any::<u8>(), to in any::<u8>(), reverse in any::<bool>(),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let disk = DiskStore::open(directory.path(), 1 << 20).unwrap();
            let memory = MemoryStore::default();
            let first: Changes = first.into_iter().map(|(k, v)| (vec![k], Some(vec![v]))).collect();
            let second: Changes =
                second.into_iter().map(|(k, v)| (vec![k], v.map(|v| vec![v]))).collect();
            for store in [&disk as &dyn Store, &memory] {
                store.stage(first.clone()).unwrap();
                store.apply().unwrap();
            }
            memory.stage(second.clone()).unwrap();
            memory.apply().unwrap();
            *disk.pending.write().unwrap() = Some(Arc::new(second));
            let stretch = Stretch {
                from: std::ops::Bound::Excluded(vec![from]),
                to: std::ops::Bound::Included(vec![to]),
                reverse,
            };
            prop_assert_eq!(rows(&disk, &stretch), rows(&memory, &stretch));
            prop_assert_eq!(disk.get(&[from]).unwrap(), memory.get(&[from]).unwrap());
        }
    }
}
