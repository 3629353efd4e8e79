//! Segments are written with zeros before they are used, by a thread of its own, which also
//! writes the indexes of sealed segments.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::format::{HEADER, segment_name, sidecar_name};
use crate::storage::{Storage, StorageFile};

/// A segment that can be written to.
pub(crate) struct Prepared {
    pub number: u32,
    pub size: u64,
    pub file: Arc<dyn StorageFile>,
}

/// The sizes of segments: the first is small, each is twice the one before, up to the full size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub first: u64,
    pub full: u64,
}

impl Sizes {
    pub fn of(self, number: u32) -> u64 {
        self.first.checked_shl(number - 1).unwrap_or(u64::MAX).clamp(self.first, self.full)
    }
}

enum Job {
    Prepare(u32),
    Sidecar(u32, Vec<u8>),
}

#[derive(Default)]
struct State {
    ready: Option<Prepared>,
    busy: bool,
    /// The last attempt found no room: try with the smallest segment first.
    cramped: bool,
}

/// Makes segments ahead of their use.
pub(crate) struct Preparer {
    sizes: Sizes,
    state: Mutex<State>,
    idle: Condvar,
    jobs: Mutex<Option<Sender<Job>>>,
    closing: AtomicBool,
}

impl Preparer {
    pub fn new(sizes: Sizes) -> (Self, PreparerJobs) {
        let (sender, jobs) = channel();
        let jobs = PreparerJobs(jobs);
        let state = Mutex::default();
        let (idle, closing) = (Condvar::new(), AtomicBool::new(false));
        (Self { sizes, state, idle, jobs: Mutex::new(Some(sender)), closing }, jobs)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the prepared segment")
    }

    fn send(&self, job: Job) -> bool {
        let jobs = self.jobs.lock().expect("no thread panics while it sends a job");
        jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
    }

    /// Asks for a segment, so that it is there when it is needed.
    pub fn prepare(&self, number: u32) {
        let mut state = self.state();
        if state.busy || state.cramped || state.ready.is_some() {
            return;
        }
        state.busy = self.send(Job::Prepare(number));
    }

    /// Has the index of a sealed segment written. Without it the segment is read when the log is
    /// opened, so nothing waits for it.
    pub fn write_sidecar(&self, number: u32, bytes: Vec<u8>) {
        self.send(Job::Sidecar(number, bytes));
    }

    /// Keeps a segment that was found prepared.
    pub fn offer(&self, prepared: Prepared) {
        self.state().ready = Some(prepared);
    }

    /// The segment with this number and at least this size.
    pub fn take(&self, storage: &dyn Storage, number: u32, need: u64) -> io::Result<Prepared> {
        let mut state = self.state();
        while state.busy {
            state = self.idle.wait(state).expect("no thread panics while it prepares");
        }
        if let Some(prepared) = state.ready.take() {
            if prepared.number == number && prepared.size >= need {
                return Ok(prepared);
            }
            drop(prepared);
        }
        let smallest = self.sizes.first.min(self.sizes.full).max(need.next_multiple_of(4096));
        let planned = self.sizes.of(number).max(smallest);
        let sizes = if state.cramped { [smallest, smallest] } else { [planned, smallest] };
        let made =
            make(storage, number, sizes[0], &self.closing).or_else(|error| match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                    if sizes[1] < sizes[0] =>
                {
                    make(storage, number, sizes[1], &self.closing)
                }
                _ => Err(error),
            });
        state.cramped = made.is_err();
        made
    }

    /// Lets the thread finish.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.jobs.lock().expect("no thread panics while it sends a job").take();
    }

    /// The thread: works until the log is closed.
    pub fn work(&self, storage: &dyn Storage, jobs: PreparerJobs) {
        for job in jobs.0 {
            match job {
                Job::Prepare(number) => {
                    let made = make(storage, number, self.sizes.of(number), &self.closing);
                    if let Err(error) = &made
                        && !self.closing.load(Ordering::Relaxed)
                    {
                        tracing::warn!(number, %error, "no segment could be prepared ahead");
                    }
                    let mut state = self.state();
                    state.cramped = made.is_err();
                    state.ready = made.ok();
                    state.busy = false;
                    drop(state);
                    self.idle.notify_all();
                }
                Job::Sidecar(number, bytes) => {
                    if let Err(error) = write_sidecar(storage, number, &bytes) {
                        tracing::warn!(number, %error, "no index of a segment was written");
                    }
                }
            }
        }
    }
}

/// What the thread is to do.
pub(crate) struct PreparerJobs(Receiver<Job>);

/// Makes a segment of zeros: under another name first, so that a half-made one is never taken.
fn make(
    storage: &dyn Storage,
    number: u32,
    size: u64,
    closing: &AtomicBool,
) -> io::Result<Prepared> {
    const ZEROS: &[u8] = &[0; 1 << 20];
    let unfinished = format!("{number:08}.new");
    let written = || {
        let file = storage.create(&unfinished)?;
        let mut at = 0;
        while at < size {
            if closing.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = (size - at).min(ZEROS.len() as u64);
            file.write_at(&ZEROS[..length as usize], at)?;
            at += length;
        }
        file.sync_data()?;
        storage.rename(&unfinished, &segment_name(number))?;
        storage.sync_directory()?;
        Ok(Prepared { number, size: size.max(HEADER), file })
    };
    written().inspect_err(|_| {
        // The room is needed more than the error of removing it.
        let _ = storage.remove(&unfinished);
    })
}

/// Writes the index of a sealed segment.
pub(crate) fn write_sidecar(storage: &dyn Storage, number: u32, bytes: &[u8]) -> io::Result<()> {
    let unfinished = format!("{number:08}.index.new");
    let file = storage.create(&unfinished)?;
    file.write_at(bytes, 0)?;
    file.sync_data()?;
    storage.rename(&unfinished, &sidecar_name(number))
}
