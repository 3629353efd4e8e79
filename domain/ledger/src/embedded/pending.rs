//! The run that is put together while the one before it is made durable: every append takes its
//! place as it comes, on the thread of whoever makes it.

use std::collections::VecDeque;

use uuid::Uuid;

use super::answer::{Outcome, Reply};
use super::entry::Entry;
use super::format::{Digest, FRAME_HEADER, FrameHeader, Place, digest};
use super::plan::Plan;
use super::shared::Shared;
use super::writer::Writer;
use crate::error::AppendError;

/// At most so many appends in one run.
const RUN_APPENDS: usize = 1024;
/// At most about so many bytes in one run, unless one append has more.
const RUN_BYTES: usize = 16 << 20;

/// Appends that are made together or not at all, and who waits for the answer.
pub(crate) struct Request {
    pub entries: Vec<Entry>,
    pub reply: Reply,
}

/// A frame that is in a run's bytes and not yet durable.
pub(crate) struct Frame {
    pub at: u64,
    pub header: FrameHeader,
    pub entries: Vec<Entry>,
}

/// Frames that are made durable together, and who waits for them.
#[derive(Default)]
pub(crate) struct Run {
    pub frames: Vec<Frame>,
    pub bytes: Vec<u8>,
    /// The digest of the last frame.
    pub digest: Digest,
    pub answers: Vec<(Reply, Outcome)>,
}

impl Run {
    /// Empty, with the memory it had, unless that was for something huge.
    pub fn reset(&mut self) {
        self.frames.clear();
        self.answers.clear();
        self.bytes.clear();
        self.bytes.shrink_to(2 * RUN_BYTES);
    }
}

/// Why no append takes a place for now.
enum Closed {
    /// The run has as many as it may.
    Full,
    /// A frame of so many bytes has to go into the next segment.
    Segment(usize),
}

/// Where the next frame goes, and what it follows.
struct End {
    place: Place,
    at: u64,
    /// The bytes of the segment.
    size: u64,
    digest: Digest,
    recorded_at: i64,
}

impl End {
    /// No frame has a place.
    fn none() -> Self {
        let place = Place::new(Uuid::nil(), 0);
        Self { place, at: 0, size: 0, digest: [0; 32], recorded_at: 0 }
    }

    fn of(writer: &Writer) -> Self {
        Self {
            place: writer.place,
            at: writer.end,
            size: writer.header.size,
            digest: writer.digest,
            recorded_at: writer.recorded_at,
        }
    }
}

/// Who makes runs durable. Whoever comes meanwhile is taken along.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    Nobody,
    /// The caller whose append found nobody at it.
    Caller,
    /// The committing thread.
    Thread,
}

/// The appends that are not being made durable yet.
pub(crate) struct Pending {
    run: Run,
    plan: Plan,
    end: End,
    closed: Option<Closed>,
    /// Those that came while no append could take a place, in order.
    waiting: VecDeque<Request>,
    pub lead: Lead,
    /// The last run was of many.
    pub crowded: bool,
    pub closing: bool,
}

impl Pending {
    /// Nothing yet, after what the writer has; in a log that is open to be read nothing comes.
    pub fn after(writer: Option<&Writer>) -> Self {
        let mut plan = Plan::default();
        plan.begin(writer.map_or(1, |writer| writer.next_position));
        Self {
            run: Run::default(),
            plan,
            end: writer.map_or_else(End::none, End::of),
            closed: None,
            waiting: VecDeque::new(),
            lead: Lead::Nobody,
            crowded: false,
            closing: false,
        }
    }

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.run.answers.len() + self.waiting.len()
    }

    /// Gives a request its place in the run, or lets it wait for one.
    pub fn add(&mut self, log: &Shared, request: Request) {
        if self.closed.is_some() {
            self.waiting.push_back(request);
        } else if let Some(request) = self.place(log, request) {
            self.waiting.push_front(request);
        }
    }

    /// Takes the run, to be made durable, and begins another. The run that was taken before must be
    /// in the index by now.
    pub fn turn(&mut self, log: &Shared, next: Run) -> Run {
        self.plan.turn();
        let run = std::mem::replace(&mut self.run, next);
        if matches!(self.closed, Some(Closed::Full)) {
            self.reopen(log);
        }
        run
    }

    /// The length of a frame that has to go into the next segment.
    pub fn needs_segment(&self) -> Option<usize> {
        match self.closed {
            Some(Closed::Segment(frame)) => Some(frame),
            _ => None,
        }
    }

    /// Goes on in another segment.
    pub fn go_on(&mut self, log: &Shared, writer: &Writer) {
        self.end = End::of(writer);
        self.reopen(log);
    }

    /// There is no other segment: refuses the request that needed it and goes on in this one.
    pub fn stay(&mut self, log: &Shared, error: AppendError) {
        if let Some(Request { reply, .. }) = self.waiting.pop_front() {
            self.run.answers.push((reply, Err(error)));
        }
        self.reopen(log);
    }

    /// The run before failed and with it all that was planned after it. Gives those who wait.
    pub fn fall_back(&mut self, log: &Shared, writer: &Writer) -> Vec<(Reply, Outcome)> {
        let failed = std::mem::take(&mut self.run.answers);
        self.run.reset();
        self.plan.begin(writer.next_position);
        self.end = End::of(writer);
        self.reopen(log);
        failed
    }

    fn reopen(&mut self, log: &Shared) {
        self.closed = None;
        while self.closed.is_none()
            && let Some(request) = self.waiting.pop_front()
        {
            if let Some(request) = self.place(log, request) {
                self.waiting.push_front(request);
            }
        }
    }

    /// Plans a request and puts its frame behind the run's. Gives it back if the segment ends.
    fn place(&mut self, log: &Shared, request: Request) -> Option<Request> {
        let Request { mut entries, reply } = request;
        let first_position = self.plan.next_position();
        if let Err(error) = log.check_poison().and_then(|()| self.plan.take(log, &mut entries)) {
            self.run.answers.push((reply, Err(error)));
            return None;
        }
        let count = (self.plan.next_position() - first_position) as u32;
        if count > 0 {
            let from = self.run.bytes.len();
            self.run.bytes.resize(from + FRAME_HEADER, 0);
            for entry in &entries {
                entry.write(&mut self.run.bytes);
            }
            let length = self.run.bytes.len() - from;
            if self.end.at + length as u64 > self.end.size {
                self.closed = Some(Closed::Segment(length));
                self.run.bytes.truncate(from);
                self.plan.undo();
                return Some(Request { entries, reply });
            }
            self.seal(log, from, first_position, count, entries);
        }
        self.run.answers.push((reply, Ok(self.plan.take_answers())));
        if self.run.answers.len() >= RUN_APPENDS || self.run.bytes.len() >= RUN_BYTES {
            self.closed = Some(Closed::Full);
        }
        None
    }

    /// Completes the frame that begins at `from`.
    fn seal(
        &mut self,
        log: &Shared,
        from: usize,
        first_position: u64,
        count: u32,
        entries: Vec<Entry>,
    ) {
        let Self { run, end, .. } = self;
        let run_first = run.frames.first().map_or(first_position, |f| f.header.first_position);
        let frame = &mut run.bytes[from..];
        let header = FrameHeader {
            length: frame.len() as u32,
            first_position,
            count,
            run_before: (first_position - run_first) as u32,
            recorded_at: log.clock.now().as_microsecond().max(end.recorded_at),
            previous: end.digest,
        };
        header.seal(frame, end.place, end.at);
        run.digest = digest(frame);
        run.frames.push(Frame { at: end.at, header, entries });
        end.at += u64::from(header.length);
        (end.digest, end.recorded_at) = (run.digest, header.recorded_at);
    }
}
