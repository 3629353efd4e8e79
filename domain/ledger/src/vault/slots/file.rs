//! The file of a key store: read whole, written slot by slot, synced.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError, RwLockWriteGuard};

use cx_model::CustomerId;
use uuid::Uuid;

use super::form::{
    FIRST_SLOT, HEADER, Header, Held, SECOND_HEADER, SLOT, Slot, place, read_header, read_slot,
    write_header, write_slot,
};
use super::{Slots, Table};
use crate::vault::VaultError;

const GROW_MIN: u64 = 256;
const GROW_MAX: u64 = 8192;

#[cfg(test)]
thread_local! {
    /// How often this thread asked for a key store's sync.
    pub(in crate::vault) static SYNCS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl Slots {
    /// Makes what was read durable: who wrote it may have been killed before its sync.
    pub(super) fn settle(&self) -> Result<(), VaultError> {
        let read = self.table.read().unwrap_or_else(PoisonError::into_inner).slots.len() as u64;
        self.sync_file()?;
        self.durable.store(read, Ordering::Release);
        Ok(())
    }

    pub(super) fn writable(&self) -> Result<RwLockWriteGuard<'_, Table>, VaultError> {
        if self.read_only {
            return Err(VaultError::ReadOnly { path: self.path.clone() });
        }
        self.check()?;
        Ok(self.table.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn check(&self) -> Result<(), VaultError> {
        match self.failed.get() {
            Some(reason) => {
                Err(VaultError::Poisoned { path: self.path.clone(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    /// Writes slots that follow one another. Nothing in memory changes but the capacity.
    pub(super) fn write(
        &self,
        table: &mut Table,
        first: u64,
        slots: &[Slot],
    ) -> Result<(), VaultError> {
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
    pub(super) fn sync_to(&self, needed: u64) -> Result<(), VaultError> {
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

    pub(super) fn sync_now(&self, table: RwLockWriteGuard<'_, Table>) -> Result<(), VaultError> {
        drop(table);
        let _turn = guard(self.syncing.lock());
        self.check()?;
        self.sync_file()
    }

    pub(super) fn sync_file(&self) -> Result<(), VaultError> {
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

pub(super) fn guard<'a>(
    locked: Result<MutexGuard<'a, ()>, PoisonError<MutexGuard<'a, ()>>>,
) -> MutexGuard<'a, ()> {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// Makes the directory entry of a file durable.
pub(in crate::vault) fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

/// The whole file appears at once, under its name, or not at all.
pub(super) fn create(path: &Path, header: &Header) -> std::io::Result<()> {
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

pub(super) fn load(path: &Path, file: &mut File) -> Result<(Header, Table), VaultError> {
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
