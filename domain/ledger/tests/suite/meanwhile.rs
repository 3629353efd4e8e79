//! What comes while a run is made durable takes its place behind it, and stands or falls with it.

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use cx_ledger::storage::{FaultyDisk, Storage, StorageFile};
use cx_ledger::{Append, AppendError, Appended, EmbeddedLog, Expected, Health, Ledger, Options};
use futures::future::BoxFuture;

use crate::workload::{new_event, read_everything};
use cx_ledger::seeded::Seeded;

/// What a sync says when it begins, which is its thread's name, and what it waits for.
type Held = (Sender<String>, Receiver<io::Result<()>>);

/// Where the next sync of a disk waits until it is told how it ends.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Option<Held>>>);

impl Gate {
    /// Holds the next sync. Gives what says that it began, and what lets it end.
    fn hold(&self) -> (Receiver<String>, Sender<io::Result<()>>) {
        let ((began, has_begun), (end, ends)) = (channel(), channel());
        *self.0.lock().unwrap() = Some((began, ends));
        (has_begun, end)
    }

    fn pass(&self) -> io::Result<()> {
        let held = self.0.lock().unwrap().take();
        held.map_or(Ok(()), |(began, ends)| {
            began.send(std::thread::current().name().unwrap_or_default().to_owned()).unwrap();
            ends.recv().unwrap()
        })
    }
}

struct HeldDisk(FaultyDisk, Gate);

struct HeldFile(Arc<dyn StorageFile>, Gate);

impl Storage for HeldDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(HeldFile(self.0.open(name, write)?, self.1.clone())))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(HeldFile(self.0.create(name)?, self.1.clone())))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory()
    }

    fn lock(&self, exclusive: bool) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        self.0.lock(exclusive)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }
}

impl StorageFile for HeldFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.0.read_at(buffer, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_at(bytes, at)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.0.set_size(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.1.pass()?;
        self.0.sync_data()
    }
}

/// Appends of one event each, told apart by what they expect.
struct Meanwhile {
    log: EmbeddedLog,
    disk: FaultyDisk,
    gate: Gate,
    random: Seeded,
}

type Answer = Result<Appended, AppendError>;

impl Meanwhile {
    fn new() -> Self {
        let (disk, gate) = (FaultyDisk::new(), Gate::default());
        let held = Arc::new(HeldDisk(disk.clone(), gate.clone()));
        let (log, _) = EmbeddedLog::open_storage(held, Options::default()).unwrap();
        Self { log, disk, gate, random: Seeded::new(11) }
    }

    fn append(&mut self, stream: &str, expected: Expected) -> Append {
        let events = vec![new_event(&mut self.random)];
        Append { stream: stream.parse().unwrap(), expected, events }
    }

    /// Appends on a thread of its own, whose sync is held.
    fn begin(&mut self, append: Append) -> (JoinHandle<Answer>, Sender<io::Result<()>>) {
        let (began, end) = self.gate.hold();
        let log = self.log.clone();
        let thread = std::thread::spawn(move || log.append_blocking(append));
        began.recv().unwrap();
        (thread, end)
    }

    /// Appends; whether the committing thread made it durable, or this one.
    fn is_led_for(&mut self, stream: &str) -> bool {
        let (began, end) = self.gate.hold();
        end.send(Ok(())).unwrap();
        let append = self.append(stream, Expected::NoStream);
        self.log.append_blocking(append).unwrap();
        began.recv().unwrap() == "cx-ledger-commit"
    }
}

/// Has the append planned, which does not wait for anything.
fn start(log: &EmbeddedLog, append: Append) -> BoxFuture<'_, Answer> {
    let mut answer = log.append(append);
    assert!(matches!(poll(&mut answer), Poll::Pending), "nothing is answered before it is durable");
    answer
}

fn poll(answer: &mut BoxFuture<'_, Answer>) -> Poll<Answer> {
    answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn finish(answers: Vec<BoxFuture<'_, Answer>>) -> Vec<Answer> {
    futures::executor::block_on(futures::future::join_all(answers))
}

#[test]
fn what_comes_meanwhile_sees_what_is_not_durable_yet_and_is_answered_after_it() {
    let mut it = Meanwhile::new();
    let first = it.append("case-1", Expected::NoStream);
    let (thread, end) = it.begin(first.clone());
    let appends = [
        it.append("case-1", Expected::Revision(0)),
        first,
        it.append("case-1", Expected::Revision(0)),
        it.append("case-2", Expected::NoStream),
        it.append("case-2", Expected::Revision(0)),
    ];
    let log = it.log.clone();
    let answers = appends.into_iter().map(|append| start(&log, append)).collect();
    assert_eq!(it.log.head_now().commit(), 0, "nothing is shown before it is durable");
    end.send(Ok(())).unwrap();
    let (revision, position) = (Some(0), cx_model::Position::new(1));
    let first = thread.join().unwrap().unwrap();
    assert_eq!(first, Appended { revision, position, repeated: false });
    let answers = finish(answers);
    assert_eq!(answers[0].as_ref().unwrap().revision, Some(1));
    assert_eq!(*answers[1].as_ref().unwrap(), Appended { revision, position, repeated: true });
    assert!(
        matches!(answers[2], Err(AppendError::Conflict { actual: Some(1), .. })),
        "{:?}",
        answers[2]
    );
    assert_eq!(answers[3].as_ref().unwrap().revision, Some(0));
    assert_eq!(answers[4].as_ref().unwrap().revision, Some(1));
    it.log.verify().unwrap();
    assert_eq!(read_everything(&it.log).unwrap().len(), 4);
}

#[test]
fn what_comes_behind_a_run_that_finds_no_room_fails_with_it_and_can_be_tried_again() {
    let mut it = Meanwhile::new();
    let before = it.append("case-0", Expected::NoStream);
    it.log.append_blocking(before).unwrap();
    let first = it.append("case-1", Expected::NoStream);
    let (thread, end) = it.begin(first.clone());
    let second = it.append("case-1", Expected::Revision(0));
    let conflicting = it.append("case-1", Expected::NoStream);
    let log = it.log.clone();
    let answers = [second.clone(), first.clone(), conflicting.clone()];
    let answers = answers.into_iter().map(|append| start(&log, append)).collect();
    end.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    assert!(matches!(thread.join().unwrap(), Err(AppendError::NoSpace { .. })));
    for answer in finish(answers) {
        assert!(matches!(answer, Err(AppendError::NoSpace { .. })), "{answer:?}");
    }
    assert_eq!((it.log.health_now(), it.log.head_now().commit()), (Health::Writable, 1));
    let again = it.log.append_blocking(first).unwrap();
    assert_eq!((again.revision, again.position.commit(), again.repeated), (Some(0), 2, false));
    let again = it.log.append_blocking(second).unwrap();
    assert_eq!((again.revision, again.position.commit(), again.repeated), (Some(1), 3, false));
    let answer = it.log.append_blocking(conflicting);
    assert!(matches!(answer, Err(AppendError::Conflict { .. })), "{answer:?}");
    let events = read_everything(&it.log).unwrap();
    drop((it.log, log));
    let (log, report) =
        EmbeddedLog::open_storage(Arc::new(it.disk.after_kill()), Options::default()).unwrap();
    assert_eq!((read_everything(&log).unwrap(), report.torn_bytes), (events, 0));
}

#[test]
fn what_comes_behind_a_failed_sync_is_refused_with_it() {
    let mut it = Meanwhile::new();
    let first = it.append("case-1", Expected::NoStream);
    let (thread, end) = it.begin(first);
    let second = it.append("case-1", Expected::Revision(0));
    let log = it.log.clone();
    let answers = vec![start(&log, second)];
    end.send(Err(io::Error::other("the disk is gone"))).unwrap();
    assert!(matches!(thread.join().unwrap(), Err(AppendError::Poisoned { .. })));
    for answer in finish(answers) {
        assert!(matches!(answer, Err(AppendError::Poisoned { .. })), "{answer:?}");
    }
    assert_eq!(it.log.head_now().commit(), 0);
}

#[test]
fn who_was_to_lead_when_its_runtime_ended_leaves_the_lead_to_others() {
    let mut it = Meanwhile::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ended = runtime.handle().clone();
    drop(runtime);
    // What blocks is dropped by a runtime that ended, and so is the lead.
    let within = ended.enter();
    let first = it.append("case-1", Expected::NoStream);
    let answer = futures::executor::block_on(it.log.append(first));
    assert!(matches!(answer, Err(AppendError::Timeout)), "{answer:?}");
    drop(within);
    let second = it.append("case-1", Expected::Revision(0));
    assert_eq!(it.log.append_blocking(second).unwrap().revision, Some(1));
    assert_eq!(read_everything(&it.log).unwrap().len(), 2);
}

#[test]
fn who_appends_alone_leads_and_where_many_did_the_committing_thread_does() {
    let mut it = Meanwhile::new();
    assert!(!it.is_led_for("case-1"));
    let many = (2..6).map(|n| vec![it.append(&format!("case-{n}"), Expected::NoStream)]).collect();
    assert!(it.log.append_each_blocking(many).iter().all(Result::is_ok));
    assert!(it.is_led_for("case-6"));
}
