//! Reading a view: everything a request reads of it, at one head.

use std::marker::PhantomData;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use cx_model::Position;
use tokio::sync::watch;

use super::status::{Progress, State};
use crate::folder::{Head, Stall};
use crate::key::{Key, StartsWith};
use crate::projection::{Projection, Provenance};
use crate::rows::space;
use crate::store::{Store, StoreError, Stretch};
use crate::stored;

/// A view cannot be read just now.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The rows of the last generation mean something else, and the new ones are being made.
    #[error("view {view} is being rebuilt; ask again later")]
    Rebuilding {
        /// The view.
        view: &'static str,
    },
    /// The engine was shut down.
    #[error("the views are shut down")]
    Stopped,
    /// The rows could not be read. A damaged view is rebuilt by itself.
    #[error("view {view}: {source}")]
    Store {
        /// The view.
        view: &'static str,
        /// Why.
        source: StoreError,
    },
}

/// What readers see at the moment.
pub(crate) struct Active {
    /// `None`: nothing that today's code could read.
    pub store: Option<Arc<dyn Store>>,
    pub head: Head,
    pub generation: String,
}

/// What a view's runner and its readers share.
pub(crate) struct Shared<V: Projection> {
    pub active: RwLock<Active>,
    pub heads: watch::Sender<Head>,
    pub progress: Mutex<Progress>,
    /// A reader met damage; the runner is to repair it.
    pub damaged: AtomicBool,
    view: PhantomData<fn() -> V>,
}

impl<V: Projection> Shared<V> {
    pub fn new(active: Active, progress: Progress) -> Self {
        Self {
            heads: watch::Sender::new(active.head.clone()),
            active: RwLock::new(active),
            progress: Mutex::new(progress),
            damaged: AtomicBool::new(false),
            view: PhantomData,
        }
    }

    /// Shows readers another store.
    pub fn serve(&self, active: Active) {
        let head = active.head.clone();
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = active;
        self.heads.send_replace(head);
    }
}

/// A row with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<V: Projection> {
    /// What names it.
    pub key: V::Key,
    /// The row.
    pub view: V::View,
    /// The events that touched it.
    pub provenance: Provenance,
    /// The event at which its lane stalled: later events of that lane are not in it.
    pub stalled_at: Option<Position>,
}

/// Reads one view. Cheap to clone; it outlives generations.
pub struct Reader<V: Projection> {
    shared: Arc<Shared<V>>,
}

impl<V: Projection> Clone for Reader<V> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<V: Projection> Reader<V> {
    pub(crate) fn new(shared: Arc<Shared<V>>) -> Self {
        Self { shared }
    }

    /// The rows at one head. While the snapshot lives no batch is committed: keep it for one
    /// request, off the async threads, and let it go.
    pub fn snapshot(&self) -> Result<Snapshot<'_, V>, ReadError> {
        let active = self.shared.active.read().unwrap_or_else(PoisonError::into_inner);
        if active.store.is_none() {
            let progress = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
            return Err(match progress.state {
                State::Stopped => ReadError::Stopped,
                _ => ReadError::Rebuilding { view: V::NAME },
            });
        }
        Ok(Snapshot { active, damaged: &self.shared.damaged, view: PhantomData })
    }

    /// The head that readers see, without waiting for a batch.
    pub fn head(&self) -> Head {
        self.shared.heads.borrow().clone()
    }

    /// The heads as they come.
    pub fn heads(&self) -> watch::Receiver<Head> {
        self.shared.heads.subscribe()
    }
}

/// Which rows to read, and in which order.
#[derive(Debug, Clone)]
pub struct Scan<V: Projection> {
    stretch: Stretch,
    limit: usize,
    view: PhantomData<fn() -> V>,
}

impl<V: Projection> Scan<V> {
    fn new(stretch: Stretch) -> Self {
        Self { stretch, limit: usize::MAX, view: PhantomData }
    }

    /// All rows.
    pub fn all() -> Self {
        Self::new(Stretch::under(&[space::ROWS]))
    }

    /// The rows whose keys begin with `prefix`.
    pub fn under<P: Key>(prefix: &P) -> Self
    where
        V::Key: StartsWith<P>,
    {
        let mut bytes = vec![space::ROWS];
        prefix.encode(&mut bytes);
        Self::new(Stretch::under(&bytes))
    }

    /// Of those, the ones from this key on, that one included.
    #[must_use]
    pub fn from(mut self, key: &V::Key) -> Self {
        self.stretch.from = Bound::Included(row_key::<V>(key));
        self
    }

    /// Of those, the ones up to this key, that one included.
    #[must_use]
    pub fn to(mut self, key: &V::Key) -> Self {
        self.stretch.to = Bound::Included(row_key::<V>(key));
        self
    }

    /// Greatest key first.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.stretch.reverse = true;
        self
    }

    /// Of those, the ones after this key in the order of the scan: say the order first.
    #[must_use]
    pub fn after(mut self, key: &V::Key) -> Self {
        let bound = Bound::Excluded(row_key::<V>(key));
        if self.stretch.reverse {
            self.stretch.to = bound;
        } else {
            self.stretch.from = bound;
        }
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = rows;
        self
    }
}

pub(crate) fn row_key<V: Projection>(key: &V::Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40);
    bytes.push(space::ROWS);
    key.encode(&mut bytes);
    bytes
}

/// The rows of a view at one head.
pub struct Snapshot<'a, V: Projection> {
    active: RwLockReadGuard<'a, Active>,
    damaged: &'a AtomicBool,
    view: PhantomData<V>,
}

impl<V: Projection> Snapshot<'_, V> {
    /// How far these rows have come: the answer is true at its position.
    pub fn head(&self) -> &Head {
        &self.active.head
    }

    /// The position these rows are true at.
    pub fn as_of(&self) -> Position {
        self.active.head.position
    }

    /// The name of the generation they belong to.
    pub fn generation(&self) -> &str {
        &self.active.generation
    }

    /// The lanes that stall.
    pub fn stalls(&self) -> &[Stall] {
        &self.active.head.stalls
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.active.store.as_deref().expect("a snapshot is taken of a store")
    }

    pub(crate) fn failed(&self, source: StoreError) -> ReadError {
        if matches!(source, StoreError::Damaged { .. }) {
            self.damaged.store(true, Ordering::Release);
        }
        ReadError::Store { view: V::NAME, source }
    }

    fn row(&self, key: V::Key, bytes: &[u8]) -> Result<Row<V>, StoreError> {
        let stored = stored::open(bytes)?;
        let stalled_at = if self.active.head.stalls.is_empty() {
            None
        } else {
            self.active.head.stall_of(V::lane_of(&key)).map(|stall| stall.position)
        };
        let view = stored::read_row(stored.row)?;
        Ok(Row { key, view, provenance: stored.provenance, stalled_at })
    }

    /// One row.
    pub fn get(&self, key: &V::Key) -> Result<Option<Row<V>>, ReadError> {
        let bytes = self.store().get(&row_key::<V>(key)).map_err(|error| self.failed(error))?;
        let row = bytes.map(|bytes| self.row(key.clone(), &bytes)).transpose();
        row.map_err(|error| self.failed(error))
    }

    /// The rows of a scan.
    pub fn scan(&self, scan: &Scan<V>) -> Result<Vec<Row<V>>, ReadError> {
        let mut rows = Vec::new();
        self.visit(scan, |row| {
            rows.push(row);
            true
        })?;
        Ok(rows)
    }

    /// Sees the rows of a scan one by one; `false` ends it.
    pub fn visit(
        &self,
        scan: &Scan<V>,
        mut see: impl FnMut(Row<V>) -> bool,
    ) -> Result<(), ReadError> {
        let mut left = scan.limit;
        if left == 0 {
            return Ok(());
        }
        let visited = self.store().scan(&scan.stretch, &mut |key, bytes| {
            let key = V::Key::from_bytes(&key[1..])
                .map_err(|error| stored::damaged(error.to_string()))?;
            left -= 1;
            Ok(see(self.row(key, bytes)?) && left > 0)
        });
        visited.map_err(|error| self.failed(error))
    }
}
