//! The thread of one view: it takes events, folds them, commits, and mends what is damaged.

#![allow(clippy::disallowed_methods)] // The runner, and only the runner, may look at a clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cx_ledger::Direction;
use cx_model::{Position, Recorded};
use tokio::runtime::Handle;

use super::feed::{CHUNK_EVENTS, Chunk, Feed};
use super::generation::{Fingerprint, GenerationDirectory, RowCheck, ViewDirectory};
use super::reader::{Active, Changed, Shared};
use super::status::{Progress, State};
use crate::folder::{Folded, Folder, Head};
use crate::projection::Projection;
use crate::store::{Store, StoreError};

/// How often what was written is made to survive the process.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// How long rows may wait for their commit while there is history to fold.
const COMMIT_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
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

    /// All views together hold back only so much; of those, one of the largest commits.
    fn is_commit_due(&mut self) -> bool {
        self.book_keep();
        let all = self.settings.overlay_bytes_now.load(Ordering::Relaxed);
        let full = all >= self.settings.overlay_bytes && self.booked * 8 >= all;
        // Rows that many events change are best written seldom: at most a fifth of the time.
        let patience = COMMIT_AT_LEAST_EVERY.max(self.last_commit_took * 4);
        full || (self.served && self.last_commit.elapsed() >= patience)
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

    /// The fold panicked over an event: everything before it is folded again and committed, its
    /// lane stalls, the rest goes on.
    fn stall(&mut self, culprit: &Recorded) -> Result<(), StoreError> {
        self.reset()?;
        while self.folder.head.ordinal + 1 < culprit.ordinal {
            if self.feed.stopped() {
                return Ok(());
            }
            let Some(events) = self.read(self.folder.head.position, CHUNK_EVENTS) else { continue };
            for event in events.iter().take_while(|event| event.ordinal < culprit.ordinal) {
                if self.folder.fold(event) == Folded::Panicked {
                    // Not the one that panicked before: the fold does not depend on its event alone.
                    return self.stall(event);
                }
            }
        }
        self.commit()?;
        tracing::error!(
            view = V::NAME,
            position = %culprit.position,
            event_type = culprit.event.event_type(),
            lane = V::lane(culprit),
            "a fold panicked: its lane stalls until the view's code changes"
        );
        self.folder.stall(culprit);
        self.uncommitted += 1;
        self.head_must_be_written = true;
        self.commit()
    }

    /// Back to the last commit.
    fn reset(&mut self) -> Result<(), StoreError> {
        self.folder = Folder::open(self.folder.store().clone())?;
        self.uncommitted = 0;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if self.shared.damaged.swap(false, Ordering::AcqRel) {
            if self.served {
                return Err(crate::stored::damaged("a reader met a damaged row"));
            }
            // The old generation, which nobody can mend: its code is gone.
            self.serve_nothing();
        }
        let start = Instant::now();
        if self.uncommitted > 0 && self.folder.only_head_moved() && !self.head_must_be_written {
            self.move_head();
        } else if self.uncommitted > 0 {
            let announce = self.served && self.shared.changes.receiver_count() > 0;
            let staged = self.folder.stage(announce, self.check.is_some())?;
            let store = self.folder.store().clone();
            if self.served {
                let mut active = self.shared.active.write().unwrap_or_else(PoisonError::into_inner);
                store.apply()?;
                active.head = staged.head.clone();
            } else {
                store.apply()?;
            }
            if self.served {
                self.shared.heads.send_replace(staged.head.clone());
            }
            if announce && !staged.keys.is_empty() {
                let changed = Changed {
                    position: staged.head.position,
                    ordinal: staged.head.ordinal,
                    keys: staged.keys,
                };
                let _ = self.shared.changes.send(Arc::new(changed));
            }
            self.progress().head = staged.head;
            store.settle()?;
            if let Some(check) = &mut self.check {
                for (key, before, now) in staged.deltas {
                    check.change(&key, before, now);
                }
            }
            self.committed();
            self.last_commit_took = start.elapsed();
        }
        self.look_after()
    }

    fn committed(&mut self) {
        self.uncommitted = 0;
        self.last_commit = Instant::now();
        self.head_must_be_written = false;
        self.folder.overlay.discard();
        self.book_keep();
    }

    /// Events that changed no row move the head in memory; it is written with the next flush.
    fn move_head(&mut self) {
        let head = self.folder.head.clone();
        self.progress().head = head.clone();
        if self.served {
            self.shared.active.write().unwrap_or_else(PoisonError::into_inner).head = head.clone();
            self.shared.heads.send_replace(head);
        }
        self.committed();
    }

    /// Tells the other views how much memory this one's changed rows take.
    fn book_keep(&mut self) {
        let bytes = self.folder.overlay.bytes();
        let all = &self.settings.overlay_bytes_now;
        if bytes >= self.booked {
            all.fetch_add(bytes - self.booked, Ordering::Relaxed);
        } else {
            all.fetch_sub(self.booked - bytes, Ordering::Relaxed);
        }
        self.booked = bytes;
    }

    /// What is done between batches, events or not.
    fn look_after(&mut self) -> Result<(), StoreError> {
        if self.last_flush.elapsed() >= FLUSH_EVERY {
            self.flush()?;
            self.report();
        }
        let Some(mut check) = self.check.take() else { return Ok(()) };
        if check.step(&**self.folder.store(), 1_000)? {
            check.compare(&self.committed_head())?;
            self.progress().verified = true;
        } else {
            self.check = Some(check);
        }
        Ok(())
    }

    fn committed_head(&self) -> Head {
        // Between commits the folder's root is that of the last commit: roots move in `stage`.
        self.folder.head.clone()
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

    fn flush(&mut self) -> Result<(), StoreError> {
        self.last_flush = Instant::now();
        if self.uncommitted == 0 && self.flushed < self.folder.head.ordinal {
            self.folder.commit()?;
            self.folder.store().flush()?;
            self.directory().note_flushed(&self.folder.head)?;
            self.flushed = self.folder.head.ordinal;
        }
        Ok(())
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

    /// Puts the damaged directory aside and begins anew.
    fn repair(&mut self, reason: &str) {
        {
            let mut progress = self.progress();
            progress.state = State::Repairing;
            progress.repairs += 1;
            progress.head = Head::default();
            progress.reason = Some(reason.to_owned());
            progress.last_repair = Some(reason.to_owned());
        }
        tracing::error!(
            view = V::NAME,
            reason,
            "a view's directory is damaged: it is put aside and rebuilt"
        );
        if self.served {
            self.serve_nothing();
        }
        while let Err(error) = self.begin_anew(reason) {
            tracing::error!(view = V::NAME, %error, "a view cannot be begun anew; trying again");
            self.feed.rest(Duration::from_secs(1));
            if self.feed.stopped() {
                break;
            }
        }
    }

    fn serve_nothing(&self) {
        let generation = self.fingerprint.generation.clone();
        self.shared.serve(Active { store: None, head: Head::default(), generation });
    }

    fn begin_anew(&mut self, reason: &str) -> Result<(), StoreError> {
        self.shared.damaged.store(false, Ordering::Release);
        self.folder = Folder::open(Arc::new(crate::store::memory::MemoryStore::default()))?;
        self.uncommitted = 0;
        self.check = None;
        self.flushed = 0;
        self.flipped = false;
        let directory = self.directory();
        if directory.exists() {
            directory.put_aside(reason)?;
        }
        let store = directory.open(&self.fingerprint.shape, self.settings.cache_bytes)?;
        self.folder = Folder::open(store.clone())?;
        if self.served {
            self.shared.serve(Active {
                store: Some(store),
                head: self.folder.head.clone(),
                generation: self.fingerprint.generation.clone(),
            });
        }
        Ok(())
    }

    /// The disk refuses: everything since the last commit is folded again later.
    fn fail(&mut self, reason: &str) {
        tracing::error!(view = V::NAME, reason, "a view cannot write; trying again");
        {
            let mut progress = self.progress();
            progress.state = State::Failing;
            progress.reason = Some(reason.to_owned());
        }
        self.feed.rest(Duration::from_secs(1));
        if let Err(StoreError::Damaged { reason }) = self.reset() {
            self.repair(&reason);
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.last_flush = Instant::now();
        self.folder.commit()?;
        self.folder.store().flush()?;
        self.directory().note_flushed(&self.folder.head)?;
        self.directory().mark_clean()
    }
}
