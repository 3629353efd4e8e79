//! A disk in memory that fails, fills up and loses what was not synced.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Storage, StorageFile};
use crate::seeded::Seeded;

const SECTOR: usize = 512;

/// What goes wrong, and when.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The call with this number fails, counted from 0 over all calls that change something.
    pub fail_at: Option<u64>,
    /// From that call on every other fails too, as if the machine had gone.
    pub and_stay_down: bool,
    /// The disk holds this many bytes.
    pub capacity: Option<u64>,
}

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Names as the running system sees them, and as they stand on the disk.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    files: Vec<File>,
    faults: Faults,
    calls: u64,
    locked: bool,
}

#[derive(Default, Clone)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

impl FaultyDisk {
    /// An empty disk on which nothing goes wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what goes wrong, and counts calls from 0 again.
    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        (state.faults, state.calls) = (faults, 0);
    }

    /// How many calls that change something were made since the faults were set.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The disk after a power cut: of every sector written since its last sync the old bytes, the
    /// new ones, or a mixture; of names changed since the last sync either.
    #[must_use]
    pub fn after_power_cut(&self, random: &mut Seeded) -> Self {
        let state = self.state();
        let names = if random.one_in(2) { &state.names } else { &state.durable_names };
        let mut files: Vec<_> = state.files.iter().map(|file| file.torn(random)).collect();
        for file in &mut files {
            file.durable.clone_from(&file.now);
        }
        let left =
            State { names: names.clone(), durable_names: names.clone(), files, ..State::default() };
        Self { state: Arc::new(Mutex::new(left)) }
    }

    /// The disk after the process was killed: everything written is there.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let state = self.state();
        let (names, files) = (state.names.clone(), state.files.clone());
        let left = State { durable_names: names.clone(), names, files, ..State::default() };
        Self { state: Arc::new(Mutex::new(left)) }
    }

    /// The bytes of a file.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|&file| state.files[file].now.clone())
    }

    /// Puts bytes in place of a file, durably.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        let file = state.files.len();
        state.files.push(File { durable: bytes.clone(), now: bytes, dirty: BTreeSet::new() });
        state.names.insert(name.into(), file);
        state.durable_names.insert(name.into(), file);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the disk")
    }
}

impl State {
    /// Counts a call that changes something; an error if it is to fail.
    fn call(&mut self) -> io::Result<()> {
        let call = self.calls;
        self.calls += 1;
        let fails = self
            .faults
            .fail_at
            .is_some_and(|at| call == at || (call > at && self.faults.and_stay_down));
        if fails { Err(io::Error::other("the disk failed, as the test said")) } else { Ok(()) }
    }

    fn check_room(&self, more: u64) -> io::Result<()> {
        let used: u64 = self.names.values().map(|&file| self.files[file].now.len() as u64).sum();
        match self.faults.capacity {
            Some(capacity) if used + more > capacity => {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            _ => Ok(()),
        }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl File {
    fn torn(&self, random: &mut Seeded) -> Self {
        let mut left = self.durable.clone();
        if self.now.len() != left.len() && random.one_in(2) {
            left.resize(self.now.len(), 0);
        }
        for &sector in &self.dirty {
            let from = (sector * SECTOR).min(left.len());
            let to = (from + SECTOR).min(left.len()).min(self.now.len()).max(from);
            let kept = match random.below(3) {
                0 => 0,
                1 => to - from,
                _ => random.below((to - from) as u64 + 1) as usize,
            };
            if to > from {
                left[from..from + kept].copy_from_slice(&self.now[from..from + kept]);
            }
        }
        Self { now: left, ..Self::default() }
    }
}

impl Storage for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn open(&self, name: &str, _write: bool) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.state().find(name)?;
        Ok(Arc::new(Handle { disk: self.clone(), file }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let mut state = self.state();
        state.call()?;
        let file = state.files.len();
        state.files.push(File::default());
        state.names.insert(name.into(), file);
        drop(state);
        Ok(Arc::new(Handle { disk: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        let file = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.into(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        state.find(name)?;
        state.names.remove(name);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn lock(&self, exclusive: bool) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let mut state = self.state();
        if state.locked {
            return Ok(None);
        }
        state.locked = exclusive;
        drop(state);
        Ok(Some(Box::new(Unlock(exclusive.then(|| self.clone())))))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/memory").join(name)
    }
}

struct Unlock(Option<FaultyDisk>);

impl Drop for Unlock {
    fn drop(&mut self) {
        if let Some(disk) = &self.0 {
            disk.state().locked = false;
        }
    }
}

struct Handle {
    disk: FaultyDisk,
    file: usize,
}

impl StorageFile for Handle {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let state = self.disk.state();
        let now = &state.files[self.file].now;
        let bytes = now.get(at as usize..at as usize + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let failed = state.call();
        // A write that fails may have done its first half.
        let bytes = if failed.is_err() { &bytes[..bytes.len() / 2] } else { bytes };
        let (from, to) = (at as usize, at as usize + bytes.len());
        let length = state.files[self.file].now.len();
        state.check_room(to.saturating_sub(length) as u64)?;
        let file = &mut state.files[self.file];
        if to > length {
            file.now.resize(to, 0);
        }
        file.now[from..to].copy_from_slice(bytes);
        if to > from {
            file.dirty.extend(from / SECTOR..=(to - 1) / SECTOR);
        }
        failed
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.call()?;
        let length = state.files[self.file].now.len() as u64;
        state.check_room(size.saturating_sub(length))?;
        state.files[self.file].now.resize(size as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        // What a failed sync has written is not known; the sectors stay in doubt.
        state.call()?;
        let file = &mut state.files[self.file];
        file.durable.clone_from(&file.now);
        file.dirty.clear();
        Ok(())
    }
}
