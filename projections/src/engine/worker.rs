//! The thread of one view: it takes events, folds them, commits, and mends what is damaged.

#![allow(clippy::disallowed_methods)] // The runner, and only the runner, may look at a clock.

mod committing;
mod mending;

use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cx_ledger::Direction;
use cx_model::{Position, Recorded};
use tokio::runtime::Handle;

use super::feed::{CHUNK_EVENTS, Chunk, Feed};
use super::fingerprint::Fingerprint;
use super::generation::{GenerationDirectory, RowCheck, ViewDirectory};
use super::reader::{Active, Shared};
use super::status::{Progress, State};
use crate::folder::{Folded, Folder};
use crate::projection::Projection;
use crate::store::{Store, StoreError};
use committing::FLUSH_EVERY;

/// How long to wait for events before looking after other things.
const IDLE: Duration = Duration::from_millis(50);

/// What a worker needs to know.
pub(crate) struct Settings {
    pub cache_bytes: u64,
    /// What all views together may hold back, and what they do.
    pub overlay_bytes: usize,
    pub overlay_bytes_now: Arc<AtomicUsize>,
    /// The ledger's last ordinal when the engine started: a new generation is served from there on.
    pub target: u64,
    pub check_rows: bool,
}

/// Why a stretch of work ended.
enum End {
    Stopped,
    Detached,
}

/// The runner of one view.
#[allow(clippy::struct_excessive_bools)] // each answers another question
pub(crate) struct Worker<V: Projection> {
    pub shared: Arc<Shared<V>>,
    pub feed: Arc<Feed>,
    pub handle: Handle,
    pub fingerprint: Fingerprint,
    pub views: ViewDirectory,
    pub settings: Settings,
    pub folder: Folder<V>,
    /// The generation that is folded is the one that readers see.
    pub served: bool,
    /// The pointer file names this generation.
    flipped: bool,
    check: Option<RowCheck>,
    last_flush: Instant,
    flushed: u64,
    last_commit: Instant,
    uncommitted: u64,
    booked: usize,
    last_commit_took: Duration,
    head_must_be_written: bool,
    pace: Pace,
}

/// Events a second, over the last seconds.
struct Pace {
    since: Instant,
    events: u64,
}

impl<V: Projection> Worker<V> {
    #[allow(clippy::too_many_arguments)] // they are its fields
    pub fn new(
        shared: Arc<Shared<V>>,
        feed: Arc<Feed>,
        handle: Handle,
        fingerprint: Fingerprint,
        views: ViewDirectory,
        settings: Settings,
        store: Arc<dyn Store>,
        served: bool,
    ) -> Result<Self, StoreError> {
        let now = Instant::now();
        let folder = Folder::open(store)?;
        let check = (settings.check_rows && folder.head.ordinal > 0).then(RowCheck::default);
        Ok(Self {
            shared,
            feed,
            handle,
            fingerprint,
            views,
            settings,
            flushed: folder.head.ordinal,
            folder,
            served,
            flipped: false,
            check,
            last_flush: now,
            last_commit: now,
            uncommitted: 0,
            booked: 0,
            last_commit_took: Duration::ZERO,
            head_must_be_written: false,
            pace: Pace { since: now, events: 0 },
        })
    }

    fn directory(&self) -> GenerationDirectory {
        self.views.generation(&self.fingerprint.generation)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until the engine stops. `receiver` is the view's place at the feed, if it has one.
    pub fn run(mut self, mut receiver: Option<Receiver<Chunk>>) {
        loop {
            let end = match receiver.take() {
                Some(receiver) => self.take_from_feed(&receiver),
                None => self.read_on_my_own().map(|found| {
                    receiver = found;
                    End::Detached
                }),
            };
            match end {
                Ok(End::Stopped) => break,
                Ok(End::Detached) if self.feed.stopped() => break,
                Ok(End::Detached) => {}
                Err(StoreError::Damaged { reason }) => {
                    receiver = None;
                    self.repair(&reason);
                }
                Err(StoreError::Failed { reason }) => {
                    receiver = None;
                    self.fail(&reason);
                }
            }
        }
        if let Err(error) = self.close() {
            tracing::warn!(view = V::NAME, %error, "a view was not closed cleanly");
        }
        self.progress().state = State::Stopped;
        // The database closes with its last reader, so that another engine may open it.
        self.shared.active.write().unwrap_or_else(PoisonError::into_inner).store = None;
    }

    fn take_from_feed(&mut self, receiver: &Receiver<Chunk>) -> Result<End, StoreError> {
        self.serve_if_done()?;
        let mut more = false;
        loop {
            let chunk = match receiver.try_recv() {
                Ok(chunk) => chunk,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let wait = if self.check.is_some() && !more { Duration::ZERO } else { IDLE };
                    match receiver.recv_timeout(wait) {
                        Ok(chunk) => chunk,
                        Err(RecvTimeoutError::Disconnected) => break,
                        Err(RecvTimeoutError::Timeout) => {
                            if !more || !self.feed.waits_for_views() || self.is_commit_due() {
                                self.idle()?;
                            }
                            if self.feed.stopped() {
                                return Ok(End::Stopped);
                            }
                            continue;
                        }
                    }
                }
            };
            self.fold(&chunk.events)?;
            more = chunk.more;
            if !more {
                // What is there already goes into the same batch, a live one stays small.
                let mut events = chunk.events.len();
                while events < 100
                    && let Ok(chunk) = receiver.try_recv()
                {
                    events += chunk.events.len();
                    self.fold(&chunk.events)?;
                }
                self.commit()?;
                self.serve_if_done()?;
            } else if self.is_commit_due() {
                self.commit()?;
            } else if self.pace.since.elapsed() >= FLUSH_EVERY {
                self.report();
            }
            if self.feed.stopped() {
                return Ok(End::Stopped);
            }
        }
        Ok(if self.feed.stopped() { End::Stopped } else { End::Detached })
    }

    /// Reads the ledger without the feed until the feed can take the view back.
    fn read_on_my_own(&mut self) -> Result<Option<Receiver<Chunk>>, StoreError> {
        self.progress().state = if self.served { State::CatchingUp } else { State::Building };
        while !self.feed.stopped() {
            if let Some(receiver) = self.feed.attach(V::NAME, self.folder.head.ordinal) {
                self.commit()?;
                return Ok(Some(receiver));
            }
            let events = self.read(self.folder.head.position, CHUNK_EVENTS);
            let Some(events) = events else { continue };
            if events.is_empty() {
                self.idle()?;
                self.feed.rest(IDLE);
            }
            self.fold(&events)?;
            if self.is_commit_due() || events.len() < CHUNK_EVENTS {
                self.commit()?;
            }
        }
        Ok(None)
    }

    /// The next events after a position; `None` after a failure that was waited out.
    fn read(&self, after: Position, limit: usize) -> Option<Arc<[Recorded]>> {
        let read = self.feed.ledger().read_all(after, Direction::Forwards, limit);
        match self.handle.block_on(read) {
            Ok(raw) => Some(self.feed.decode(&raw).0),
            Err(error) => {
                tracing::warn!(view = V::NAME, %error, "a view cannot read the ledger; trying again");
                self.feed.rest(Duration::from_millis(500));
                None
            }
        }
    }

    fn fold(&mut self, events: &[Recorded]) -> Result<(), StoreError> {
        for event in events {
            match self.folder.fold(event) {
                Folded::Applied => self.uncommitted += 1,
                Folded::Skipped => {
                    self.uncommitted += u64::from(event.ordinal == self.folder.head.ordinal);
                }
                Folded::Panicked => self.stall(event)?,
            }
        }
        self.pace.events += events.len() as u64;
        Ok(())
    }

    fn idle(&mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.serve_if_done()?;
        self.report();
        Ok(())
    }

    fn report(&mut self) {
        let elapsed = self.pace.since.elapsed().as_secs_f64();
        let end = self.feed.end();
        let undecodable = self.feed.undecodable();
        let mut progress = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if elapsed >= 0.5 {
            progress.events_per_second = self.pace.events as f64 / elapsed;
            self.pace = Pace { since: Instant::now(), events: 0 };
        }
        progress.head = self.folder.head.clone();
        progress.undecodable = undecodable;
        progress.size_bytes = self.folder.store().size_bytes();
        let behind = self.folder.head.ordinal + CHUNK_EVENTS as u64 <= end.ordinal;
        progress.state = match (self.served, behind) {
            (false, _) => State::Building,
            (true, true) => State::CatchingUp,
            (true, false) => State::Live,
        };
        progress.reason = None;
    }

    /// A generation that has reached where the ledger stood at the start takes the old one's place.
    fn serve_if_done(&mut self) -> Result<(), StoreError> {
        let done = self.folder.head.ordinal >= self.settings.target && self.uncommitted == 0;
        if self.flipped || !done {
            return Ok(());
        }
        if !self.served {
            self.served = true;
            self.shared.serve(Active {
                store: Some(self.folder.store().clone()),
                head: self.folder.head.clone(),
                generation: self.fingerprint.generation.clone(),
            });
            tracing::info!(
                view = V::NAME,
                generation = self.fingerprint.generation,
                "a new generation of a view is served"
            );
        }
        self.flush()?;
        self.views.flip(&self.fingerprint.generation)?;
        self.flipped = true;
        Ok(())
    }
}
