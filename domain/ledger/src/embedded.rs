//! The embedded log: the ledger of one machine, in files of its own.
//!
//! An append is on the disk before it is acknowledged, and the files are opened after any crash
//! with exactly a prefix of what was sent that holds everything acknowledged. `docs/log-format.md`
//! draws the files byte by byte.

mod answer;
mod backup;
mod commit;
mod entry;
mod format;
mod ids;
mod index;
mod keyed;
mod pending;
mod plan;
mod port;
mod prepare;
mod read;
mod recover;
mod repair;
mod scan;
mod shared;
mod sidecar;
mod streams;
mod verify;
mod writer;

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use cx_model::{Position, StreamName};
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{AppendError, OpenError, ReadError};
use crate::limits::check_limits;
use crate::port::{Append, Appended, Direction, Health, RawEvent};
use crate::storage::{Disk, Storage};
use answer::Reply;
use entry::Entry;
use format::segment_name;
use pending::{Pending, Request};
use prepare::{Prepared, Preparer, Sizes};
use recover::{Mode, Recovered, recover};
use shared::Shared;
use writer::Writer;

pub use backup::{BackupError, restore};
pub use format::Digest;
pub use recover::OpenReport;
pub use repair::{Cut, repair};
pub use verify::Verified;

/// How long an append waits for its run.
const DEADLINE: Duration = Duration::from_mins(1);

/// How often the lock is tried before another process counts as a writer: for about two seconds.
const LOCK_TRIES: usize = 100;

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bytes of a segment, at most 4 GiB less one.
    pub segment_bytes: u64,
    /// The bytes of the first segment; each is twice the one before, up to `segment_bytes`.
    pub first_segment_bytes: u64,
    /// Where `recorded_at` comes from.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 128 << 20, first_segment_bytes: 1 << 20, clock: Clock::system() }
    }
}

/// The ledger of one machine. Clones share it; the last one closes it.
#[derive(Clone)]
pub struct EmbeddedLog {
    open: Arc<Open>,
}

struct Open {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Option<Box<dyn Any + Send + Sync>>,
}

impl EmbeddedLog {
    /// Opens the log in a directory, to read and to write. An empty or missing directory becomes a
    /// new log. What a crash left of a run that was never acknowledged is cut back and reported;
    /// damage is refused.
    pub fn open(directory: &Path, options: Options) -> Result<(Self, OpenReport), OpenError> {
        make_directory(directory)
            .map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;
        Self::open_storage(Arc::new(Disk::new(directory)), options)
    }

    /// Opens the log in a directory, to read only, also beside a process that writes it. Shows every
    /// append that is whole when it is opened, made durable first, and nothing later.
    pub fn open_read_only(directory: &Path) -> Result<(Self, OpenReport), OpenError> {
        if !directory.join(segment_name(1)).exists() {
            return Err(OpenError::Missing { path: directory.to_owned() });
        }
        Self::open_storage_read_only(Arc::new(Disk::new(directory)))
    }

    /// As [`EmbeddedLog::open`], on any storage.
    pub fn open_storage(
        storage: Arc<dyn Storage>,
        options: Options,
    ) -> Result<(Self, OpenReport), OpenError> {
        let failed = |source| OpenError::Io { path: storage.path(""), source };
        let locked = || OpenError::Locked { path: storage.path("") };
        // A reader holds the lock while it opens: wait for it, not for a writer.
        let mut lock = storage.lock(true).map_err(failed)?;
        for _ in 0..LOCK_TRIES {
            if lock.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
            lock = storage.lock(true).map_err(failed)?;
        }
        let lock = lock.ok_or_else(locked)?;
        let mut recovered = recover(&*storage, Mode::Write)?;
        remove_unfinished(&*storage).map_err(failed)?;
        let full = options.segment_bytes.clamp(4096, u64::from(u32::MAX));
        let first = options.first_segment_bytes.clamp(4096, full);
        let (preparer, jobs) = Preparer::new(Sizes { first, full });
        offer_unused(&*storage, &preparer, &recovered).map_err(failed)?;
        let writer = match recovered.last.take() {
            Some(last) => Writer::resume(last),
            None => Writer::create(&*storage, &preparer, Uuid::from_bytes(random(&storage)?)),
        };
        let writer = writer.map_err(failed)?;
        if recovered.index.segments.is_empty() {
            recovered.index.segments.push(writer.segment());
        }
        recovered.index.digest = writer.digest;
        recovered.index.recorded_at = writer.recorded_at;
        for (number, bytes) in std::mem::take(&mut recovered.sidecars) {
            preparer.write_sidecar(number, bytes);
        }
        let report = recovered.report.clone();
        let shared =
            share(storage, recovered, writer.header.ledger, Some(writer), preparer, options);
        let (preparing, committing) = (shared.clone(), shared.clone());
        let threads = vec![
            spawn("cx-ledger-prepare", move || {
                preparing.preparer.work(&*preparing.storage, jobs);
            })
            .map_err(|source| OpenError::Io { path: shared.storage.path(""), source })?,
            spawn("cx-ledger-commit", move || committing.work())
                .map_err(|source| OpenError::Io { path: shared.storage.path(""), source })?,
        ];
        let open = Open { shared, threads: Mutex::new(threads), lock: Some(lock) };
        Ok((Self { open: Arc::new(open) }, report))
    }

    /// As [`EmbeddedLog::open_read_only`], on any storage.
    pub fn open_storage_read_only(
        storage: Arc<dyn Storage>,
    ) -> Result<(Self, OpenReport), OpenError> {
        let failed = |source| OpenError::Io { path: storage.path(""), source };
        let lock = storage.lock(false).map_err(failed)?;
        let mode = if lock.is_some() { Mode::ReadAlone } else { Mode::ReadBeside };
        let mut recovered = recover(&*storage, mode)?;
        drop(lock);
        if let Some(last) = &recovered.last {
            recovered.index.digest = last.standing.digest;
            recovered.index.recorded_at = last.standing.recorded_at;
        }
        let report = recovered.report.clone();
        let (preparer, _) = Preparer::new(Sizes { first: 4096, full: 4096 });
        preparer.close();
        let ledger = recovered.ledger;
        let shared = share(storage, recovered, ledger, None, preparer, Options::default());
        let open = Open { shared, threads: Mutex::default(), lock: None };
        Ok((Self { open: Arc::new(open) }, report))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.open.shared
    }

    fn begin(&self, appends: Vec<Append>, reply: Reply) -> Result<bool, AppendError> {
        self.check(&appends)?;
        let entries = appends.into_iter().map(Entry::new).collect();
        Ok(self.shared().add([Request { entries, reply }]))
    }

    fn check(&self, appends: &[Append]) -> Result<(), AppendError> {
        check_limits(appends)?;
        match self.health_now() {
            Health::ReadOnly(reason) | Health::Away(reason) => {
                Err(AppendError::Poisoned { reason })
            }
            Health::Writable => Ok(()),
        }
    }

    /// As [`crate::Ledger::append`], on the calling thread.
    pub fn append_blocking(&self, append: Append) -> Result<Appended, AppendError> {
        self.append_many_blocking(vec![append]).map(|answers| answers[0])
    }

    /// As [`crate::Ledger::append_many`], on the calling thread.
    pub fn append_many_blocking(&self, appends: Vec<Append>) -> Result<Vec<Appended>, AppendError> {
        let (sender, answer) = sync_channel(1);
        if self.begin(appends, Reply::Thread(sender))? {
            self.shared().lead();
        }
        answer.recv_timeout(DEADLINE).map_err(|_| AppendError::Timeout)?
    }

    /// Appends several sets at once, each of them all or none and with an answer of its own, in
    /// order and, unless others are writing, in as few runs as they fit.
    pub fn append_each_blocking(
        &self,
        sets: Vec<Vec<Append>>,
    ) -> Vec<Result<Vec<Appended>, AppendError>> {
        let mut waiting = Vec::with_capacity(sets.len());
        let mut requests = Vec::with_capacity(sets.len());
        for appends in sets {
            let (sender, answer) = sync_channel(1);
            let checked = self.check(&appends);
            if checked.is_ok() {
                let entries = appends.into_iter().map(Entry::new).collect();
                requests.push(Request { entries, reply: Reply::Thread(sender) });
            }
            waiting.push(checked.map(|()| answer));
        }
        if !requests.is_empty() && self.shared().add(requests) {
            self.shared().lead();
        }
        let hear = |answer: Receiver<_>| {
            answer.recv_timeout(DEADLINE).map_err(|_| AppendError::Timeout)?
        };
        waiting.into_iter().map(|answer| answer.and_then(hear)).collect()
    }

    /// As [`crate::Ledger::read_stream`], on the calling thread.
    pub fn read_stream_blocking(
        &self,
        stream: &StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<RawEvent>, ReadError> {
        self.shared().read_stream(stream, from, direction, limit, u64::MAX)
    }

    /// As [`crate::Ledger::read_all`], on the calling thread.
    pub fn read_all_blocking(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<RawEvent>, ReadError> {
        self.shared().read_all(from, direction, limit, u64::MAX)
    }

    /// The next events after a position, as many as a few reads take and at most `limit`; none at the
    /// head.
    pub fn read_next_blocking(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RawEvent>, ReadError> {
        self.shared().read_next(after, limit)
    }

    /// As [`crate::Ledger::position_at`], on the calling thread.
    pub fn position_at_blocking(&self, time: Timestamp) -> Result<Position, ReadError> {
        self.shared().position_at(time)
    }

    /// The last durable position.
    pub fn head_now(&self) -> Position {
        Position::new(self.shared().head())
    }

    /// The last durable position and the digest of its append, which vouches for everything before.
    pub fn head_digest(&self) -> (Position, Digest) {
        let index = self.shared().index();
        (Position::new(self.shared().head()), index.digest)
    }

    /// How many streams there are of each category: what stands before the first hyphen of a name.
    pub fn streams_by_category(&self) -> BTreeMap<String, u64> {
        self.shared().index().streams.by_category()
    }

    /// How much room is left in the last segment and in one that is prepared.
    pub fn spare_bytes(&self) -> u64 {
        let shared = self.shared();
        let index = shared.index();
        let Some(last) = index.segments.last() else { return 0 };
        let size = last.file.size().unwrap_or(last.end);
        let name = segment_name(last.number + 1);
        let next = shared.storage.open(&name, false).and_then(|file| file.size()).unwrap_or(0);
        size.saturating_sub(last.end) + next
    }

    /// The id that the log was given when it was made.
    pub fn ledger_id(&self) -> Uuid {
        self.shared().ledger
    }

    /// Whether appends are taken.
    pub fn health_now(&self) -> Health {
        if let Some(reason) = self.shared().poison.get() {
            Health::ReadOnly(reason.clone())
        } else if self.open.lock.is_none() {
            Health::ReadOnly("the ledger is open to be read only".into())
        } else {
            Health::Writable
        }
    }
}

/// Makes a directory and those above it, durably: each name is synced in the directory it is in.
fn make_directory(directory: &Path) -> std::io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    make_directory(above)?;
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => std::fs::File::open(above)?.sync_all(),
    }
}

fn random(storage: &Arc<dyn Storage>) -> Result<[u8; 16], OpenError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| OpenError::Io {
        path: storage.path(""),
        source: std::io::Error::other(error),
    })?;
    Ok(bytes)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work)
}

/// Files that were being made when the process ended.
fn remove_unfinished(storage: &dyn Storage) -> std::io::Result<()> {
    for name in storage.list()? {
        if std::path::Path::new(&name).extension().is_some_and(|extension| extension == "new") {
            storage.remove(&name)?;
        }
    }
    // Names that a killed process made are not durable yet.
    storage.sync_directory()
}

/// Keeps the segment that is prepared already, after clearing a header that was torn.
fn offer_unused(
    storage: &dyn Storage,
    preparer: &Preparer,
    recovered: &Recovered,
) -> std::io::Result<()> {
    for &number in &recovered.unused {
        let file = storage.open(&segment_name(number), true)?;
        writer::clear(&*file, 0, format::HEADER)?;
        file.sync_data()?;
        if recovered.unused.first() == Some(&number) {
            preparer.offer(Prepared { number, size: file.size()?, file });
        } else {
            storage.remove(&segment_name(number))?;
        }
    }
    Ok(())
}

fn share(
    storage: Arc<dyn Storage>,
    recovered: Recovered,
    ledger: Uuid,
    writer: Option<Writer>,
    preparer: Preparer,
    options: Options,
) -> Arc<Shared> {
    let head = recovered.report.head.commit();
    let pending = Pending::after(writer.as_ref());
    Arc::new(Shared {
        storage,
        ledger,
        clock: options.clock,
        index: RwLock::new(recovered.index),
        head: watch::Sender::new(head),
        poison: OnceLock::new(),
        pending: Mutex::new(pending),
        more: Condvar::new(),
        writer: Mutex::new(writer),
        preparer,
    })
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.pending().closing = true;
        self.shared.more.notify_all();
        self.shared.preparer.close();
        let threads = std::mem::take(&mut *self.threads.lock().expect("only closing takes them"));
        for thread in threads {
            // A thread that panicked has said so; the log closes without it.
            let _ = thread.join();
        }
        let mut writer = self.shared.writer.lock().expect("no thread panics while it writes");
        if let Some(writer) = writer.as_mut()
            && self.shared.poison.get().is_none()
            && let Err(error) = writer.mark()
        {
            tracing::warn!(%error, "the log was not marked as closed; opening it will look twice");
        }
    }
}
