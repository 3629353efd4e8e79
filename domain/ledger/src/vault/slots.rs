//! The key store: a file of fixed slots, one data key each, that can be overwritten for good.
//!
//! ```text
//! 0     header   "CXVAULT1" version:u32 slot:u32 salt:32 nonce:24 secret:48 crc:u32
//! 2048  the header once more, so that one bad sector does not close the store
//! 4096  slots of 128 bytes, numbered from 0:
//!       state:u8 zero:7 number:u64 customer:16 nonce:24 key:48 crc:u32 zero:20
//! ```
//!
//! Numbers are little endian; each CRC-32C covers what stands before it. State 0 is empty, 1 holds
//! a wrapped key, 2 is a tombstone: the key bytes are zeros and nobody makes a key for that customer
//! again. A slot lies within one sector, so a power cut leaves it as it was or as it was to be. The
//! file grows by prewritten zeros, so that a sync does not have to write the file's length too.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockWriteGuard};

use cx_model::CustomerId;
use uuid::Uuid;

use super::VaultError;

mod erasures;
mod shared;

/// The key store's file in the data directory.
pub const STORE_FILE: &str = "vault.keys";
const LOCK_FILE: &str = "vault.lock";

const MAGIC: &[u8; 8] = b"CXVAULT1";
const HEADER: usize = 124;
const SECOND_HEADER: u64 = 2048;
const FIRST_SLOT: u64 = 4096;
const SLOT: usize = 128;
const GROW_MIN: u64 = 256;
const GROW_MAX: u64 = 8192;
/// No file has a slot with this number.
const MOST: u64 = (i64::MAX as u64 - FIRST_SLOT) / SLOT as u64;

#[cfg(test)]
thread_local! {
    /// How often this thread asked for a key store's sync.
    pub(super) static SYNCS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A key under another key: a nonce and the ciphertext with its tag.
#[derive(Clone, Copy)]
pub(super) struct Wrapped {
    pub(super) nonce: [u8; 24],
    pub(super) key: [u8; 48],
}

/// What the store's header holds.
pub(super) struct Header {
    pub(super) salt: [u8; 32],
    pub(super) secret: Wrapped,
}

/// What a slot holds.
#[derive(Clone, Copy)]
pub(super) enum Held {
    /// A key.
    Live(Wrapped),
    /// Nothing any more.
    Destroyed,
    /// Bytes that are not what was written.
    Damaged,
}

#[derive(Clone, Copy)]
struct Slot {
    customer: CustomerId,
    held: Held,
}

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

    /// Makes what was read durable: who wrote it may have been killed before its sync.
    fn settle(&self) -> Result<(), VaultError> {
        let read = self.table.read().unwrap_or_else(PoisonError::into_inner).slots.len() as u64;
        self.sync_file()?;
        self.durable.store(read, Ordering::Release);
        Ok(())
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

    fn writable(&self) -> Result<RwLockWriteGuard<'_, Table>, VaultError> {
        if self.read_only {
            return Err(VaultError::ReadOnly { path: self.path.clone() });
        }
        self.check()?;
        Ok(self.table.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn check(&self) -> Result<(), VaultError> {
        match self.failed.get() {
            Some(reason) => {
                Err(VaultError::Poisoned { path: self.path.clone(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    /// Writes slots that follow one another. Nothing in memory changes but the capacity.
    fn write(&self, table: &mut Table, first: u64, slots: &[Slot]) -> Result<(), VaultError> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        let io = |error: std::io::Error| VaultError::io(&self.path, &error);
        let end = first + slots.len() as u64;
        if end > table.capacity {
            let grown = end + table.capacity.clamp(GROW_MIN, GROW_MAX);
            let zeros = vec![0; (grown - table.capacity) as usize * SLOT];
            file.seek(SeekFrom::Start(place(table.capacity))).map_err(io)?;
            file.write_all(&zeros).map_err(io)?;
            file.sync_all().map_err(|error| self.poison(&error))?;
            table.capacity = grown;
        }
        let mut bytes = Vec::with_capacity(slots.len() * SLOT);
        for (number, slot) in (first..).zip(slots) {
            bytes.extend_from_slice(&write_slot(number, slot));
        }
        file.seek(SeekFrom::Start(place(first))).map_err(io)?;
        file.write_all(&bytes).map_err(io)
    }

    /// Returns when every slot below this number is durable. Of many who wait one syncs for all.
    fn sync_to(&self, needed: u64) -> Result<(), VaultError> {
        if self.file.is_none() || self.durable.load(Ordering::Acquire) >= needed {
            return Ok(());
        }
        let _turn = guard(self.syncing.lock());
        if self.durable.load(Ordering::Acquire) >= needed {
            return Ok(());
        }
        self.check()?;
        let written = self.table.read().unwrap_or_else(PoisonError::into_inner).slots.len() as u64;
        self.sync_file()?;
        self.durable.store(written, Ordering::Release);
        Ok(())
    }

    fn sync_now(&self, table: RwLockWriteGuard<'_, Table>) -> Result<(), VaultError> {
        drop(table);
        let _turn = guard(self.syncing.lock());
        self.check()?;
        self.sync_file()
    }

    fn sync_file(&self) -> Result<(), VaultError> {
        #[cfg(test)]
        SYNCS.with(|syncs| syncs.set(syncs.get() + 1));
        match &self.file {
            Some(file) => file.sync_data().map_err(|error| self.poison(&error)),
            None => Ok(()),
        }
    }

    /// After a failed sync nobody knows what the disk holds: no key is made from now on.
    fn poison(&self, error: &std::io::Error) -> VaultError {
        let reason = self.failed.get_or_init(|| error.to_string());
        VaultError::Poisoned { path: self.path.clone(), reason: reason.clone() }
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

fn guard<'a>(
    locked: Result<MutexGuard<'a, ()>, PoisonError<MutexGuard<'a, ()>>>,
) -> MutexGuard<'a, ()> {
    locked.unwrap_or_else(PoisonError::into_inner)
}

fn place(number: u64) -> u64 {
    FIRST_SLOT.saturating_add(number.saturating_mul(SLOT as u64))
}

/// Makes the directory entry of a file durable.
pub(super) fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

/// The whole file appears at once, under its name, or not at all.
fn create(path: &Path, header: &Header) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = File::create(&unfinished)?;
    let mut bytes = vec![0; (FIRST_SLOT + GROW_MIN * SLOT as u64) as usize];
    let written = write_header(header);
    bytes[..HEADER].copy_from_slice(&written);
    bytes[SECOND_HEADER as usize..][..HEADER].copy_from_slice(&written);
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    sync_directory(path)
}

fn load(path: &Path, file: &mut File) -> Result<(Header, Table), VaultError> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut bytes))
        .map_err(|error| VaultError::io(path, &error))?;
    let header = [0, SECOND_HEADER as usize]
        .into_iter()
        .find_map(|at| read_header(bytes.get(at..at + HEADER)?))
        .ok_or_else(|| VaultError::Damaged { path: path.to_owned() })?;
    let body = bytes.get(FIRST_SLOT as usize..).unwrap_or_default();
    let (chunks, _) = body.as_chunks::<SLOT>();
    let used = chunks.iter().rposition(|chunk| chunk.iter().any(|byte| *byte != 0));
    let used = used.map_or(0, |last| last + 1);
    let empty = Slot { customer: CustomerId(Uuid::nil()), held: Held::Damaged };
    let slots = (0..).zip(&chunks[..used]);
    let slots = slots.map(|(number, chunk)| read_slot(number, chunk).unwrap_or(empty)).collect();
    let mut table = Table::of(slots);
    table.capacity = chunks.len() as u64;
    Ok((header, table))
}

fn write_header(header: &Header) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
    bytes[12..16].copy_from_slice(&(SLOT as u32).to_le_bytes());
    bytes[16..48].copy_from_slice(&header.salt);
    bytes[48..72].copy_from_slice(&header.secret.nonce);
    bytes[72..120].copy_from_slice(&header.secret.key);
    let crc = crc32c::crc32c(&bytes[..120]);
    bytes[120..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn read_header(bytes: &[u8]) -> Option<Header> {
    let known = bytes.starts_with(MAGIC)
        && bytes[8..12] == 1_u32.to_le_bytes()
        && bytes[12..16] == (SLOT as u32).to_le_bytes()
        && bytes[120..] == crc32c::crc32c(&bytes[..120]).to_le_bytes();
    known.then(|| Header { salt: copy(&bytes[16..48]), secret: wrapped(&bytes[48..120]) })
}

fn write_slot(number: u64, slot: &Slot) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..32].copy_from_slice(slot.customer.0.as_bytes());
    bytes[0] = match slot.held {
        Held::Live(wrapped) => {
            bytes[32..56].copy_from_slice(&wrapped.nonce);
            bytes[56..104].copy_from_slice(&wrapped.key);
            1
        }
        Held::Destroyed | Held::Damaged => 2,
    };
    let crc = crc32c::crc32c(&bytes[..104]);
    bytes[104..108].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The slot in these bytes, `None` if it is empty.
fn read_slot(number: u64, bytes: &[u8; SLOT]) -> Option<Slot> {
    if bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let customer = CustomerId(Uuid::from_bytes(copy(&bytes[16..32])));
    let whole = bytes[8..16] == number.to_le_bytes()
        && bytes[104..108] == crc32c::crc32c(&bytes[..104]).to_le_bytes();
    let held = match bytes[0] {
        1 if whole => Held::Live(wrapped(&bytes[32..104])),
        2 if whole => Held::Destroyed,
        _ => Held::Damaged,
    };
    Some(Slot { customer, held })
}

fn wrapped(bytes: &[u8]) -> Wrapped {
    Wrapped { nonce: copy(&bytes[..24]), key: copy(&bytes[24..72]) }
}

fn copy<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut copied = [0; N];
    copied.copy_from_slice(bytes);
    copied
}
