//! A key store that several processes write, as the nodes of one ledger do.
//!
//! Who writes holds the lock for that long and first reads what others wrote. Who reads looks at
//! the file each time: a key that another node destroyed opens nothing here either, from then on.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cx_model::CustomerId;

use super::{
    Header, Held, LOCK_FILE, SLOT, STORE_FILE, Slot, Slots, Table, Wrapped, create, guard, load,
    place, read_slot,
};
use crate::vault::VaultError;

/// How long a process waits for the others, each of which writes for some milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time between two attempts to get the lock.
const PAUSE: Duration = Duration::from_millis(1);

/// What a store has that is shared.
pub(super) struct Shared {
    lock: File,
    lock_path: PathBuf,
    /// Apart from the file that is written, so that nobody reads where another's write begins.
    reading: Mutex<File>,
}

/// The lock of all processes, until it is dropped.
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    _here: MutexGuard<'a, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Closing the file gives the lock back as well.
        let _ = self.shared.lock.unlock();
    }
}

fn not_read_again(error: &VaultError) {
    tracing::warn!(%error, "the shared key store could not be read again");
}

fn take(lock: &File, path: &Path) -> Result<(), VaultError> {
    let until = Instant::now() + PATIENCE;
    while lock.try_lock().is_err() {
        if Instant::now() >= until {
            return Err(VaultError::Locked { path: path.to_owned() });
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

impl Slots {
    /// Opens the store of a directory that other processes write too, or makes one.
    pub(in crate::vault) fn open_shared(
        directory: &Path,
        fresh: impl FnOnce() -> Result<Header, VaultError>,
    ) -> Result<(Self, Header), VaultError> {
        let path = directory.join(STORE_FILE);
        let io = |error: std::io::Error| VaultError::io(&path, &error);
        std::fs::create_dir_all(directory).map_err(io)?;
        let lock_path = directory.join(LOCK_FILE);
        let lock = File::create(&lock_path).map_err(io)?;
        take(&lock, &path)?;
        if !path.exists() {
            create(&path, &fresh()?).map_err(io)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(io)?;
        let (header, table) = load(&path, &mut file)?;
        let reading = Mutex::new(File::open(&path).map_err(io)?);
        let mut slots = Self::new(path, Some(file), false, table, None);
        slots.settle()?;
        lock.unlock().map_err(|error| VaultError::io(&slots.path, &error))?;
        slots.shared = Some(Shared { lock, lock_path, reading });
        Ok((slots, header))
    }

    /// Waits until no other thread and no other process writes.
    pub(super) fn turn<'a>(&'a self, shared: &'a Shared) -> Result<Turn<'a>, VaultError> {
        let here = guard(self.syncing.lock());
        self.check()?;
        take(&shared.lock, &shared.lock_path)?;
        Ok(Turn { shared, _here: here })
    }

    /// Reads so many bytes from a place on, fewer at the file's end.
    fn read(&self, shared: &Shared, from: u64, most: u64) -> Result<Vec<u8>, VaultError> {
        let mut file = shared.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))
            .and_then(|_| Read::by_ref(&mut *file).take(most).read_to_end(&mut bytes))
            .map_err(|error| VaultError::io(&self.path, &error))?;
        Ok(bytes)
    }

    /// What is in a slot now.
    pub(super) fn slot_now(
        &self,
        shared: &Shared,
        number: u64,
    ) -> Result<Option<Slot>, VaultError> {
        let bytes = self.read(shared, place(number), SLOT as u64)?;
        Ok(bytes.first_chunk().and_then(|bytes| read_slot(number, bytes)))
    }

    /// What a slot holds, whoever wrote it.
    pub(super) fn held_by_all(
        &self,
        shared: &Shared,
        number: u64,
    ) -> Result<Option<(CustomerId, Held)>, VaultError> {
        let mut slot = self.slot_now(shared, number)?;
        if slot.is_some_and(|slot| matches!(slot.held, Held::Damaged)) {
            // Perhaps it is being written this moment.
            let _turn = self.turn(shared)?;
            slot = self.slot_now(shared, number)?;
        }
        Ok(slot.map(|slot| (slot.customer, slot.held)))
    }

    /// The newest slot of a customer, whoever wrote it.
    pub(super) fn newest_of_all(
        &self,
        shared: &Shared,
        customer: CustomerId,
    ) -> Result<Option<(u64, Held)>, VaultError> {
        let newest = || {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            (table.newest.get(&customer).copied(), table.slots.len() as u64)
        };
        let (mut number, known) = newest();
        if number.is_none() && self.slot_now(shared, known)?.is_some() {
            let turn = self.turn(shared)?;
            self.catch_up(&turn, &mut self.table.write().unwrap_or_else(PoisonError::into_inner))?;
            drop(turn);
            number = newest().0;
        }
        let Some(number) = number else { return Ok(None) };
        let held = self.held_by_all(shared, number)?;
        Ok(Some((number, held.map_or(Held::Damaged, |(_, held)| held))))
    }

    /// The same where no answer is none: nothing is sealed with a key that cannot be read.
    pub(super) fn of_by_all(&self, shared: &Shared, customer: CustomerId) -> Option<(u64, Held)> {
        self.newest_of_all(shared, customer).unwrap_or_else(|error| {
            not_read_again(&error);
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table.newest.get(&customer).map(|number| (*number, Held::Damaged))
        })
    }

    /// Reads the whole file again, as it is at one moment.
    pub(super) fn look_again(&self, shared: &Shared) {
        let looked = self.turn(shared).and_then(|turn| {
            let mut file = turn.shared.reading.lock().unwrap_or_else(PoisonError::into_inner);
            let now = load(&self.path, &mut file)?.1;
            *self.table.write().unwrap_or_else(PoisonError::into_inner) = now;
            Ok(())
        });
        if let Err(error) = looked {
            not_read_again(&error);
        }
    }

    /// Adds to the table what others wrote behind its end, and how long the file has become.
    pub(super) fn catch_up(&self, turn: &Turn<'_>, table: &mut Table) -> Result<(), VaultError> {
        let known = table.slots.len() as u64;
        let bytes = self.read(turn.shared, place(known), u64::MAX)?;
        let (chunks, _) = bytes.as_chunks::<SLOT>();
        let used = chunks.iter().rposition(|chunk| chunk.iter().any(|byte| *byte != 0));
        let used = used.map_or(0, |last| last + 1);
        for (number, chunk) in (known..).zip(&chunks[..used]) {
            let empty = Slot { customer: CustomerId(uuid::Uuid::nil()), held: Held::Damaged };
            let slot = read_slot(number, chunk).unwrap_or(empty);
            if !matches!(slot.held, Held::Damaged) {
                table.newest.insert(slot.customer, number);
            }
            table.slots.push(slot);
        }
        table.capacity = known + chunks.len() as u64;
        Ok(())
    }

    /// Makes a slot for each of these customers that has none from anybody, durably.
    pub(super) fn ensure_among_all(
        &self,
        shared: &Shared,
        customers: &[CustomerId],
        wrap: &dyn Fn(u64, CustomerId) -> Result<Wrapped, VaultError>,
    ) -> Result<(), VaultError> {
        let durable = self.durable.load(Ordering::Acquire);
        {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            let there = |customer| table.newest.get(customer).is_some_and(|n| *n < durable);
            if customers.iter().all(there) {
                return Ok(());
            }
        }
        let turn = self.turn(shared)?;
        let mut table = self.writable()?;
        self.catch_up(&turn, &mut table)?;
        self.add(&mut table, customers, wrap)?;
        let written = table.slots.len() as u64;
        drop(table);
        // What others wrote as well: nobody knows whether their sync was done.
        self.sync_file()?;
        self.durable.store(written, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
impl Shared {
    /// Reads from another file from now on.
    pub(super) fn read_from(&mut self, file: File) {
        self.reading = Mutex::new(file);
    }
}
