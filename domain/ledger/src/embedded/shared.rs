//! What readers, the writer and the threads of an open log share.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard};

use tokio::sync::watch;
use uuid::Uuid;

use super::commit::Request;
use super::index::Index;
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
    pub queue: Mutex<Queue>,
    /// Wakes the committing thread.
    pub more: Condvar,
    /// `None` in a log that is open to be read.
    pub writer: Mutex<Option<Writer>>,
    pub preparer: Preparer,
}

/// The appends that wait for a run.
#[derive(Default)]
pub(crate) struct Queue {
    pub waiting: VecDeque<Request>,
    /// Somebody makes runs; whoever comes now is taken along.
    pub led: bool,
    /// The lead is handed to the committing thread.
    pub handed_over: bool,
    pub closing: bool,
}

impl Shared {
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().expect("no thread panics while it changes the index")
    }

    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no thread panics while it holds the queue")
    }

    pub fn head(&self) -> u64 {
        *self.head.borrow()
    }
}
