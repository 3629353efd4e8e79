//! The key store: a file of fixed slots, one data key each, that can be overwritten for good.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use cx_model::CustomerId;

use super::VaultError;

mod erasures;
mod file;
mod form;
mod shared;

#[cfg(test)]
pub(super) use file::SYNCS;
pub(super) use file::sync_directory;
use file::{create, guard, load};
pub(super) use form::{Header, Held, Wrapped};
use form::{MOST, SLOT, Slot, place, read_slot};

/// The key store's file in the data directory.
pub const STORE_FILE: &str = "vault.keys";
const LOCK_FILE: &str = "vault.lock";

struct Table {
    slots: Vec<Slot>,
    newest: HashMap<CustomerId, u64>,
    capacity: u64,
}

/// The open key store.
pub(super) struct Slots {
    path: PathBuf,
    /// `None` keeps the store in memory only.
    file: Option<File>,
    read_only: bool,
    /// Set where other processes write the store as well.
    shared: Option<shared::Shared>,
    table: RwLock<Table>,
    /// Slots below this number are on the disk.
    durable: AtomicU64,
    syncing: Mutex<()>,
    failed: OnceLock<String>,
    _lock: Option<File>,
}

impl Slots {
    /// A store that lives in memory.
    pub(super) fn in_memory() -> Self {
        Self::new(PathBuf::from("memory"), None, false, Table::of(Vec::new()), None)
    }

    fn new(
        path: PathBuf,
        file: Option<File>,
        read_only: bool,
        table: Table,
        lock: Option<File>,
    ) -> Self {
        // What a killed process wrote may be in the memory of this machine only.
        let durable = AtomicU64::new(0);
        let (table, syncing, failed) = (RwLock::new(table), Mutex::new(()), OnceLock::new());
        let shared = None;
        Self { path, file, read_only, shared, table, durable, syncing, failed, _lock: lock }
    }

    /// Opens the store of a directory, or makes one with the header that `fresh` gives.
    pub(super) fn open(
        directory: &Path,
        fresh: impl FnOnce() -> Result<Header, VaultError>,
    ) -> Result<(Self, Header), VaultError> {
        let path = directory.join(STORE_FILE);
        let io = |error: std::io::Error| VaultError::io(&path, &error);
        std::fs::create_dir_all(directory).map_err(io)?;
        let lock = File::create(directory.join(LOCK_FILE)).map_err(io)?;
        if lock.try_lock().is_err() {
            return Err(VaultError::Locked { path });
        }
        if !path.exists() {
            create(&path, &fresh()?).map_err(io)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(io)?;
        let (header, table) = load(&path, &mut file)?;
        let slots = Self::new(path, Some(file), false, table, Some(lock));
        slots.settle()?;
        Ok((slots, header))
    }

    /// Opens the store of a directory beside the process that writes it. Slots are read anew when
    /// they are asked for.
    pub(super) fn open_read_only(directory: &Path) -> Result<(Self, Header), VaultError> {
        let path = directory.join(STORE_FILE);
        let mut file = File::open(&path).map_err(|error| VaultError::io(&path, &error))?;
        let (header, table) = load(&path, &mut file)?;
        Ok((Self::new(path, Some(file), true, table, None), header))
    }

    /// Whether no slot from this number on is in use, as the file is now.
    pub(super) fn is_behind_the_last(&self, number: u64) -> Result<bool, VaultError> {
        let known = || self.table.read().unwrap_or_else(PoisonError::into_inner).slots.len() as u64;
        if number < known() {
            return Ok(false);
        }
        if let Some(shared) = &self.shared {
            let turn = self.turn(shared)?;
            self.catch_up(&turn, &mut self.table.write().unwrap_or_else(PoisonError::into_inner))?;
        } else if self.read_only {
            let mut file =
                File::open(&self.path).map_err(|error| VaultError::io(&self.path, &error))?;
            let now = load(&self.path, &mut file)?.1;
            *self.table.write().unwrap_or_else(PoisonError::into_inner) = now;
        }
        Ok(number >= known())
    }

    /// What the slot with this number holds, `None` if there is none.
    pub(super) fn held(&self, number: u64) -> Result<Option<(CustomerId, Held)>, VaultError> {
        if number >= MOST {
            return Ok(None);
        }
        if let Some(shared) = &self.shared {
            return self.held_by_all(shared, number);
        }
        if self.read_only {
            let _turn = guard(self.syncing.lock());
            let mut bytes = [0; SLOT];
            let read = |mut file: &File| {
                file.seek(SeekFrom::Start(place(number)))?;
                file.read_exact(&mut bytes)
            };
            return match self.file.as_ref().map(read) {
                Some(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
                Some(Err(error)) => Err(VaultError::io(&self.path, &error)),
                _ => Ok(read_slot(number, &bytes).map(|slot| (slot.customer, slot.held))),
            };
        }
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        Ok(table.slots.get(number as usize).map(|slot| (slot.customer, slot.held)))
    }

    /// The newest slot of a customer, and what it holds.
    pub(super) fn of(&self, customer: CustomerId) -> Option<(u64, Held)> {
        if let Some(shared) = &self.shared {
            return self.of_by_all(shared, customer);
        }
        let (number, held) = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            let number = *table.newest.get(&customer)?;
            (number, table.slots[number as usize].held)
        };
        if !self.read_only {
            return Some((number, held));
        }
        // Whoever writes may have destroyed it since.
        match self.held(number) {
            Ok(Some((_, now))) => Some((number, now)),
            Ok(None) | Err(_) => Some((number, Held::Damaged)),
        }
    }

    /// Makes a slot for each of these customers that has none, durably. `wrap` gives the new key
    /// for a slot. A customer whose key was destroyed keeps the tombstone.
    pub(super) fn ensure(
        &self,
        customers: &[CustomerId],
        wrap: &dyn Fn(u64, CustomerId) -> Result<Wrapped, VaultError>,
    ) -> Result<(), VaultError> {
        if let Some(shared) = &self.shared {
            return self.ensure_among_all(shared, customers, wrap);
        }
        let mut needed = 0;
        let missing = customers.iter().any(|customer| match self.of(*customer) {
            Some((number, _)) => {
                needed = needed.max(number + 1);
                false
            }
            None => true,
        });
        if missing {
            let mut table = self.writable()?;
            self.add(&mut table, customers, wrap)?;
            needed = table.slots.len() as u64;
        }
        self.sync_to(needed)
    }

    /// Writes a slot for each of these customers that has none, not durably yet.
    fn add(
        &self,
        table: &mut Table,
        customers: &[CustomerId],
        wrap: &dyn Fn(u64, CustomerId) -> Result<Wrapped, VaultError>,
    ) -> Result<(), VaultError> {
        let first = table.slots.len() as u64;
        let mut new: Vec<Slot> = Vec::new();
        let mut taken: HashMap<CustomerId, u64> = HashMap::new();
        for customer in customers {
            if table.newest.contains_key(customer) || taken.contains_key(customer) {
                continue;
            }
            let number = first + new.len() as u64;
            let held = Held::Live(wrap(number, *customer)?);
            new.push(Slot { customer: *customer, held });
            taken.insert(*customer, number);
        }
        self.write(table, first, &new)?;
        table.slots.extend(new);
        table.newest.extend(taken);
        Ok(())
    }

    /// Overwrites every key of a customer and leaves tombstones, durably. Doing it again does
    /// nothing more. Says whether there was a key.
    pub(super) fn destroy(&self, customer: CustomerId) -> Result<bool, VaultError> {
        let turn = self.shared.as_ref().map(|shared| self.turn(shared)).transpose()?;
        let mut table = self.writable()?;
        if let Some(turn) = &turn {
            self.catch_up(turn, &mut table)?;
        }
        let tombstone = Slot { customer, held: Held::Destroyed };
        let mut theirs: Vec<usize> = Vec::new();
        for (number, slot) in table.slots.iter().enumerate() {
            if slot.customer == customer {
                theirs.push(number);
            }
        }
        if let Some(shared) = &self.shared {
            for &number in &theirs {
                table.slots[number] =
                    self.slot_now(shared, number as u64)?.unwrap_or(table.slots[number]);
            }
        }
        let is_live = |number: &usize| !matches!(table.slots[*number].held, Held::Destroyed);
        let existed = theirs.iter().any(is_live);
        if theirs.is_empty() {
            let number = table.slots.len();
            self.write(&mut table, number as u64, &[tombstone])?;
            table.slots.push(tombstone);
            table.newest.insert(customer, number as u64);
        }
        for number in theirs {
            table.newest.insert(customer, number as u64);
            // From here on the key opens nothing in this process, whatever the disk says.
            table.slots[number] = tombstone;
            self.write(&mut table, number as u64, &[tombstone])?;
        }
        match turn {
            Some(_turn) => {
                drop(table);
                self.sync_file()?;
            }
            None => self.sync_now(table)?,
        }
        Ok(existed)
    }

    /// How many keys are held, were destroyed and are damaged.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        if let Some(shared) = &self.shared {
            self.look_again(shared);
        }
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.slots.iter().fold((0, 0, 0), |(live, gone, bad), slot| match slot.held {
            Held::Live(_) => (live + 1, gone, bad),
            Held::Destroyed => (live, gone + 1, bad),
            Held::Damaged => (live, gone, bad + 1),
        })
    }
}

impl Table {
    fn of(slots: Vec<Slot>) -> Self {
        let capacity = slots.len() as u64;
        let mut newest: HashMap<CustomerId, u64> = HashMap::with_capacity(slots.len());
        for (number, slot) in (0..).zip(&slots) {
            let tombstone = newest
                .get(&slot.customer)
                .is_some_and(|held| matches!(slots[*held as usize].held, Held::Destroyed));
            if !tombstone && !matches!(slot.held, Held::Damaged) {
                newest.insert(slot.customer, number);
            }
        }
        Self { slots, newest, capacity }
    }
}
