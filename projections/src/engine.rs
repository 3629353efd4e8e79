//! The engine: it keeps every view at the end of the ledger, and answers at a position.
//!
//! One thread follows the ledger and decodes each event once; each view has a thread of its own,
//! since its database blocks. A slow view holds up only itself, a damaged one is rebuilt by itself,
//! one whose code changed is made beside its predecessor.

mod anchor;
mod explain;
mod feed;
mod fingerprint;
pub(crate) mod generation;
mod past;
mod reader;
mod registry;
mod room;
mod roots;
mod status;
mod worker;

#[cfg(test)]
mod proofs;

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cx_ledger::{Direction, Ledger};
use cx_model::Position;
use futures::future::join_all;
use tokio::sync::watch;

pub use explain::{ExplainError, Explained, Step};
pub use past::{Pasts, Warmed, warm};
pub use reader::{ReadError, Reader, Row, Scan, Snapshot};
pub use registry::{Registered, registered};
pub use roots::fold_roots;
pub use status::{State, ViewStatus};

use crate::folder::Head;
use crate::projection::Projection;
use crate::root::Root;
use crate::store::StoreError;
use anchor::Anchor;
use feed::Feed;
use reader::Shared;
use registry::{AnyShared, Surroundings};
use status::LedgerEnd;

/// The engine cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The ledger does not answer.
    #[error("the views cannot read the ledger: {0}")]
    Ledger(#[from] cx_ledger::ReadError),
    /// The directory cannot be used.
    #[error("the views' directory {path}: {source}")]
    Store {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// A job did not get to its position.
    #[error("view {view} could not be folded: {reason}; mend that, then run it again")]
    Unfinished {
        /// The view.
        view: &'static str,
        /// What kept it.
        reason: String,
    },
}

/// A view did not reach the position in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("view {view} has not reached position {required} yet, it is at {current}; ask again")]
pub struct Stale {
    /// The view that is farthest behind.
    pub view: &'static str,
    /// What was asked for.
    pub required: Position,
    /// What it has reached.
    pub current: Position,
}

/// How the engine runs.
pub struct Options {
    /// The views; [`crate::all_views`] has those of the project.
    pub views: Vec<Registered>,
    /// What each view's database may keep in memory, in bytes.
    pub cache_bytes: u64,
    /// How many bytes of changed rows all views together may hold back while they fold history.
    /// `None`: by the length of the history and the memory that is free.
    pub overlay_bytes: Option<usize>,
    /// Fold nothing after this position: for views as they stood.
    pub until: Option<Position>,
    /// Compare all rows with their root after the start, in the background.
    pub check_rows: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            views: crate::all_views(),
            cache_bytes: 4 << 20,
            overlay_bytes: None,
            until: None,
            check_rows: true,
        }
    }
}

/// Every view, running.
pub struct Engine {
    ledger: Arc<dyn Ledger>,
    views: Vec<(Arc<dyn AnyShared>, Arc<dyn Any + Send + Sync>)>,
    stop: watch::Sender<bool>,
    feed: Arc<Feed>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How many events behind the foremost view another may be to share its feed.
const NEAR: u64 = 50_000;

/// The end of the ledger, or of what is wanted of it.
async fn ledger_end(
    ledger: &dyn Ledger,
    until: Option<Position>,
) -> Result<LedgerEnd, cx_ledger::ReadError> {
    let from = until.unwrap_or(Position::new(u64::MAX));
    let last = ledger.read_all(from, Direction::Backwards, 1).await?;
    Ok(last.first().map_or(LedgerEnd::default(), |event| LedgerEnd {
        ordinal: event.ordinal,
        recorded_at: event.recorded_at,
    }))
}

impl Engine {
    /// Opens every view in `directory` and starts to follow the ledger. Call it inside a tokio
    /// runtime with timers; it needs that runtime as long as it lives.
    pub async fn start(
        ledger: Arc<dyn Ledger>,
        directory: &Path,
        options: Options,
    ) -> Result<Self, OpenError> {
        let end = ledger_end(&*ledger, None).await?;
        let wanted = match options.until {
            Some(_) => ledger_end(&*ledger, options.until).await?,
            None => end,
        };
        let handle = tokio::runtime::Handle::current();
        let directory = directory.to_owned();
        let started = tokio::task::spawn_blocking(move || {
            let anchor = Anchor { ledger, handle, end: end.ordinal };
            Self::open(&directory, &options, wanted, anchor)
        });
        started.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    fn open(
        directory: &Path,
        options: &Options,
        wanted: LedgerEnd,
        anchor: Anchor,
    ) -> Result<Self, OpenError> {
        let (ledger, handle) = (anchor.ledger.clone(), anchor.handle.clone());
        let (stop, stopped) = watch::channel(false);
        let target = wanted.ordinal;
        let overlay_bytes = options.overlay_bytes.unwrap_or_else(|| room::overlay_bytes(target));
        let overlay_bytes_now = Arc::default();
        let surroundings =
            Surroundings { directory, options, target, overlay_bytes, overlay_bytes_now, anchor };
        let opened = options.views.iter().map(|view| view.open(&surroundings));
        let opened = opened.collect::<Result<Vec<_>, _>>()?;
        // A view far behind the others reads on its own, so that the others are live at once.
        let foremost = opened.iter().map(|view| view.head().ordinal).max().unwrap_or(0);
        let near = opened.iter().map(|view| view.head());
        let start = near
            .filter(|head| head.ordinal + NEAR >= foremost)
            .min_by_key(|head| head.ordinal)
            .unwrap_or_default();
        let feed = Arc::new(Feed::new(ledger.clone(), start.ordinal, options.until, stopped));
        let mut threads = Vec::new();
        let mut views = Vec::new();
        for view in opened {
            views.push(view.shared());
            threads.push(view.spawn(&feed, &handle));
        }
        let follower = (feed.clone(), handle);
        let run = move || follower.0.run(&follower.1, start.position);
        threads.push(std::thread::Builder::new().name("views-feed".into()).spawn(run).map_err(
            |error| OpenError::Store {
                path: directory.to_owned(),
                source: StoreError::Failed { reason: error.to_string() },
            },
        )?);
        Ok(Self { ledger, views, stop, feed, threads: Mutex::new(threads) })
    }

    fn shared<V: Projection>(&self) -> Arc<Shared<V>> {
        let found = self.views.iter().find_map(|(_, view)| view.clone().downcast().ok());
        found.expect("only views that the engine was started with are asked for")
    }

    /// The ledger the views are folded from.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// Reads a view.
    ///
    /// # Panics
    /// If the engine was started without it.
    pub fn reader<V: Projection>(&self) -> Reader<V> {
        Reader::new(self.shared::<V>())
    }

    /// The names of the views.
    pub fn names(&self) -> Vec<&'static str> {
        self.views.iter().map(|(view, _)| view.name()).collect()
    }

    /// Waits until these views (all, if none is named) have reached a position.
    pub async fn at_least(
        &self,
        position: Position,
        views: &[&str],
        deadline: Duration,
    ) -> Result<(), Stale> {
        let wanted = self.views.iter().map(|(view, _)| view);
        let wanted = wanted.filter(|view| views.is_empty() || views.contains(&view.name()));
        let mut heads: Vec<_> = wanted.map(|view| (view.name(), view.heads())).collect();
        let all = join_all(heads.iter_mut().map(|(_, head)| async move {
            let _ = head.wait_for(|head| head.position >= position).await;
        }));
        let _ = tokio::time::timeout(deadline, all).await;
        let reached = heads.iter().map(|(view, head)| (*view, head.borrow().position));
        match reached.min_by_key(|(_, current)| *current) {
            Some((view, current)) if current < position => {
                Err(Stale { view, required: position, current })
            }
            _ => Ok(()),
        }
    }

    /// The lowest position among what readers of the views see.
    pub fn lowest_head(&self) -> Position {
        let heads = self.views.iter().map(|(view, _)| view.heads().borrow().position);
        heads.min().unwrap_or(Position::START)
    }

    /// How each view is doing.
    pub async fn status(&self) -> Result<Vec<ViewStatus>, cx_ledger::ReadError> {
        let end = ledger_end(&*self.ledger, None).await?;
        Ok(self.views.iter().map(|(view, _)| view.status(end)).collect())
    }

    /// Folds every view again from the first event, in memory, and compares the roots.
    pub async fn verify(&self) -> Result<Vec<Verdict>, cx_ledger::ReadError> {
        let mut verdicts = Vec::new();
        for (view, _) in &self.views {
            let head = view.heads().borrow().clone();
            let fresh = view.fresh_root(&self.ledger, &self.feed, &head).await?;
            verdicts.push(Verdict { view: view.name(), head, fresh });
        }
        Ok(verdicts)
    }

    /// The bytes of keys and values of all live rows, view by view. Reads every row.
    pub async fn logical_bytes(&self) -> Result<Vec<(&'static str, u64)>, ReadError> {
        let views: Vec<_> = self.views.iter().map(|(view, _)| view.clone()).collect();
        let read = tokio::task::spawn_blocking(move || {
            views.iter().map(|view| Ok((view.name(), view.logical_bytes()?))).collect()
        });
        read.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// Commits what was folded, marks the views as cleanly closed, and ends their threads.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }
}

impl Drop for Engine {
    /// Without [`Engine::shutdown`] the threads end by themselves, a little later.
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Whether a view is what the ledger makes of it.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The view.
    pub view: &'static str,
    /// The head that was served, with its root.
    pub head: Head,
    /// The root of a fresh fold up to that head.
    pub fresh: Root,
}

impl Verdict {
    /// The roots are equal.
    pub fn agrees(&self) -> bool {
        self.head.root == self.fresh
    }
}
