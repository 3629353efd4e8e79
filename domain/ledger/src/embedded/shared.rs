//! What readers, the writer and the threads of an open log share.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard};

use tokio::sync::watch;
use uuid::Uuid;

use super::index::Index;
use super::pending::Pending;
use super::prepare::Preparer;
use super::writer::Writer;
use crate::clock::Clock;
use crate::storage::Storage;

pub(crate) struct Shared {
    pub storage: Arc<dyn Storage>,
    pub ledger: Uuid,
    pub clock: Clock,
    pub index: RwLock<Index>,
    /// The last durable position.
    pub head: watch::Sender<u64>,
    /// Why nothing is written any more.
    pub poison: OnceLock<String>,
    /// Taken after the writer, before the index, if more than one is taken.
    pub pending: Mutex<Pending>,
    /// Wakes the committing thread.
    pub more: Condvar,
    /// `None` in a log that is open to be read.
    pub writer: Mutex<Option<Writer>>,
    pub preparer: Preparer,
}

impl Shared {
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().expect("no thread panics while it changes the index")
    }

    pub fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().expect("no thread panics while it plans an append")
    }

    pub fn head(&self) -> u64 {
        *self.head.borrow()
    }
}
