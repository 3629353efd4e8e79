//! Views of all types side by side.

use std::any::Any;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use cx_ledger::{Direction, Ledger};
use cx_model::Position;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::anchor::Anchor;
use super::feed::{CHUNK_EVENTS, Feed};
use super::fingerprint::{Fingerprint, Meaning, fingerprint};
use super::generation::{GenerationDirectory, RowCheck, ViewDirectory};
use super::reader::{Active, ReadError, Shared};
use super::roots::Rooted;
use super::status::{LedgerEnd, Progress, State, ViewStatus};
use super::worker::{Settings, Worker};
use super::{OpenError, Options};
use crate::fold::Fold;
use crate::folder::{Head, read_head};
use crate::projection::Projection;
use crate::root::Root;
use crate::store::{Store, StoreError};

/// A view that an engine can run.
pub struct Registered {
    name: &'static str,
    open: fn(&Surroundings<'_>) -> Result<Box<dyn Opened>, OpenError>,
    fingerprint: fn() -> Fingerprint,
    fold: fn() -> Box<dyn Rooted>,
}

/// A view, for [`Options::views`].
pub fn registered<V: Projection>() -> Registered {
    Registered {
        name: V::NAME,
        open: open::<V>,
        fingerprint: fingerprint::<V>,
        fold: || Box::new(Fold::<V>::new()),
    }
}

impl Registered {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name of the generation that this code makes.
    pub fn generation(&self) -> String {
        (self.fingerprint)().generation
    }

    pub(crate) fn fold(&self) -> Box<dyn Rooted> {
        (self.fold)()
    }

    pub(crate) fn open(
        &self,
        surroundings: &Surroundings<'_>,
    ) -> Result<Box<dyn Opened>, OpenError> {
        (self.open)(surroundings)
    }
}

pub(crate) struct Surroundings<'a> {
    pub directory: &'a Path,
    pub options: &'a Options,
    /// The last ordinal of the ledger.
    pub target: u64,
    /// What changed rows of all views together may take, and what they do.
    pub overlay_bytes: usize,
    pub overlay_bytes_now: Arc<AtomicUsize>,
    pub anchor: Anchor,
}

impl Surroundings<'_> {
    fn failed(&self, source: StoreError) -> OpenError {
        OpenError::Store { path: self.directory.to_owned(), source }
    }
}

/// A view whose rows are open and whose thread does not run yet.
pub(crate) trait Opened: Send {
    /// How far the generation that is folded has come.
    fn head(&self) -> Head;
    fn shared(&self) -> (Arc<dyn AnyShared>, Arc<dyn Any + Send + Sync>);
    fn spawn(self: Box<Self>, feed: &Arc<Feed>, handle: &Handle) -> JoinHandle<()>;
}

/// What all views have in common.
pub(crate) trait AnyShared: Send + Sync {
    fn name(&self) -> &'static str;
    fn heads(&self) -> watch::Receiver<Head>;
    fn status(&self, end: LedgerEnd) -> ViewStatus;
    fn logical_bytes(&self) -> Result<u64, ReadError>;
    fn fresh_root<'a>(
        &'a self,
        ledger: &'a Arc<dyn Ledger>,
        feed: &'a Feed,
        head: &'a Head,
    ) -> BoxFuture<'a, Result<Root, cx_ledger::ReadError>>;
}

impl<V: Projection> AnyShared for Shared<V> {
    fn name(&self) -> &'static str {
        V::NAME
    }

    fn heads(&self) -> watch::Receiver<Head> {
        self.heads.subscribe()
    }

    fn status(&self, end: LedgerEnd) -> ViewStatus {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let served = {
            let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
            (active.head.position, active.generation.clone())
        };
        ViewStatus::new(V::NAME, progress, served, end)
    }

    fn logical_bytes(&self) -> Result<u64, ReadError> {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = &active.store else { return Ok(0) };
        let mut all = RowCheck::default();
        loop {
            match all.step(&**store, 10_000) {
                Ok(false) => {}
                Ok(true) => break Ok(all.logical_bytes),
                Err(source) => break Err(ReadError::Store { view: V::NAME, source }),
            }
        }
    }

    fn fresh_root<'a>(
        &'a self,
        ledger: &'a Arc<dyn Ledger>,
        feed: &'a Feed,
        head: &'a Head,
    ) -> BoxFuture<'a, Result<Root, cx_ledger::ReadError>> {
        async move {
            let mut fold = Fold::<V>::new();
            let mut after = Position::START;
            while fold.head().ordinal < head.ordinal {
                let raw = ledger.read_all(after, Direction::Forwards, CHUNK_EVENTS).await?;
                let Some(last) = raw.last() else { break };
                after = last.position;
                let wanted = raw.partition_point(|event| event.ordinal <= head.ordinal);
                fold.fold(&feed.decode(&raw[..wanted]).0);
                tokio::task::yield_now().await;
            }
            Ok(fold.head().root)
        }
        .boxed()
    }
}

struct OpenedView<V: Projection> {
    shared: Arc<Shared<V>>,
    fingerprint: Fingerprint,
    views: ViewDirectory,
    store: Arc<dyn Store>,
    head: Head,
    served: bool,
    settings: Settings,
}

/// Rows that are open, with their head.
type Rows = (Arc<dyn Store>, Head);

/// Opens the rows of a generation, or says why they cannot be used.
fn usable(
    directory: &GenerationDirectory,
    meaning: &Meaning,
    surroundings: &Surroundings<'_>,
) -> Result<Result<Rows, String>, OpenError> {
    let opened = directory.open(meaning, surroundings.options.cache_bytes);
    let opened = opened.and_then(|store| Ok((read_head(&*store)?.unwrap_or_default(), store)));
    match opened {
        Ok((head, store)) => Ok(match surroundings.anchor.parts_from(&head)? {
            Some(reason) => Err(reason),
            None => Ok((store, head)),
        }),
        Err(StoreError::Damaged { reason }) => Ok(Err(reason)),
        Err(error) => Err(surroundings.failed(error)),
    }
}

/// Opens the generation that this code names, anew if what is there cannot be used; in that case
/// also says why.
fn open_own(
    directory: &GenerationDirectory,
    view: &'static str,
    meaning: &Meaning,
    surroundings: &Surroundings<'_>,
) -> Result<(Rows, Option<String>), OpenError> {
    let reason = match usable(directory, meaning, surroundings)? {
        Ok(rows) => return Ok((rows, None)),
        Err(reason) => reason,
    };
    tracing::error!(view, reason, "a view's directory cannot be used: it is put aside and rebuilt");
    let anew = directory.put_aside(&reason).and_then(|_| {
        let store = directory.open(meaning, surroundings.options.cache_bytes)?;
        Ok((store, Head::default()))
    });
    anew.map(|rows| (rows, Some(reason))).map_err(|error| surroundings.failed(error))
}

/// What to serve of an old generation while the new one is made: its rows, if they mean to today's
/// code what they meant, and they are this ledger's.
fn open_old(
    views: &ViewDirectory,
    old: String,
    meaning: &Meaning,
    surroundings: &Surroundings<'_>,
) -> Result<Active, OpenError> {
    let directory = views.generation(&old);
    let rows = match directory.meaning() {
        Some(kept) if meaning.reads(&kept) => usable(&directory, &kept, surroundings),
        _ => Ok(Err("its rows mean something else".into())),
    };
    Ok(match rows {
        Ok(Ok((store, head))) if head.ordinal > 0 => {
            Active { store: Some(store), head, generation: old }
        }
        Err(error @ OpenError::Ledger(_)) => return Err(error),
        _ => Active { store: None, head: Head::default(), generation: old },
    })
}

/// Opens the generation that this code names; finds out what to serve meanwhile.
fn open<V: Projection>(surroundings: &Surroundings<'_>) -> Result<Box<dyn Opened>, OpenError> {
    let options = surroundings.options;
    let fingerprint = fingerprint::<V>();
    let views = ViewDirectory::new(surroundings.directory, V::NAME)
        .map_err(|error| surroundings.failed(error))?;
    let pointer = views.pointer();
    let directory = views.generation(&fingerprint.generation);
    let ((store, head), repaired) =
        open_own(&directory, V::NAME, &fingerprint.meaning, surroundings)?;
    let old = pointer.active.filter(|active| *active != fingerprint.generation);
    // Rows that were served once are served again at once; so are rows with none before them.
    let served = old.is_none() || directory.is_complete();
    let active = match old.filter(|_| !served) {
        Some(old) => open_old(&views, old, &fingerprint.meaning, surroundings)?,
        None => Active {
            store: Some(store.clone()),
            head: head.clone(),
            generation: fingerprint.generation.clone(),
        },
    };
    let state = if served { State::CatchingUp } else { State::Building };
    let mut progress = Progress::new(state, fingerprint.generation.clone(), head.clone());
    progress.repairs = u64::from(repaired.is_some());
    progress.last_repair = repaired;
    let settings = Settings {
        cache_bytes: options.cache_bytes,
        overlay_bytes: surroundings.overlay_bytes,
        overlay_bytes_now: surroundings.overlay_bytes_now.clone(),
        target: surroundings.target,
        check_rows: options.check_rows,
    };
    let shared = Arc::new(Shared::new(active, progress));
    Ok(Box::new(OpenedView::<V> { shared, fingerprint, views, store, head, served, settings }))
}

impl<V: Projection> Opened for OpenedView<V> {
    fn head(&self) -> Head {
        self.head.clone()
    }

    fn shared(&self) -> (Arc<dyn AnyShared>, Arc<dyn Any + Send + Sync>) {
        (self.shared.clone(), self.shared.clone())
    }

    fn spawn(self: Box<Self>, feed: &Arc<Feed>, handle: &Handle) -> JoinHandle<()> {
        let receiver = feed.attach(V::NAME, self.head.ordinal);
        let (feed, handle) = (feed.clone(), handle.clone());
        let run = move || {
            let view = *self;
            let shared = view.shared.clone();
            let worker = Worker::new(
                view.shared,
                feed,
                handle,
                view.fingerprint,
                view.views,
                view.settings,
                view.store,
                view.served,
            );
            match worker {
                Ok(worker) => worker.run(receiver),
                Err(error) => {
                    tracing::error!(view = V::NAME, %error, "a view cannot be run");
                    let mut progress =
                        shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
                    progress.state = State::Failing;
                    progress.reason = Some(error.to_string());
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("view-{}", V::NAME));
        thread.spawn(run).expect("the system has room for a thread a view")
    }
}
