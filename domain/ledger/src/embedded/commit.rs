//! Group commit: who finds the queue empty makes a run, who comes meanwhile is in the next one.

use std::time::{Duration, Instant};

use super::answer::{self, Outcome, Reply};
use super::entry::Entry;
use super::format::{FRAME_HEADER, FrameHeader, digest};
use super::ids::id_hash;
use super::index::FrameAt;
use super::plan::{Fresh, Plan};
use super::shared::Shared;
use super::writer::{Writer, is_full};
use crate::error::AppendError;

/// At most so many appends in one run.
const RUN_APPENDS: usize = 1024;
/// At most about so many bytes in one run, unless one append has more.
const RUN_BYTES: usize = 16 << 20;

/// Nobody came for so long: nobody is about to.
const LULL: Duration = Duration::from_micros(15);

/// Appends that are made together or not at all, and who waits for the answer.
pub(crate) struct Request {
    pub entries: Vec<Entry>,
    pub reply: Reply,
}

impl Request {
    fn size(&self) -> usize {
        self.entries.iter().map(Entry::size).sum()
    }
}

/// A frame that is in the buffer and not yet durable.
struct Frame {
    at: u64,
    header: FrameHeader,
    fresh: Vec<Fresh>,
}

/// A run that is being made.
#[derive(Default)]
struct Run {
    plan: Plan,
    frames: Vec<Frame>,
    answers: Vec<(Reply, Outcome)>,
}

impl Shared {
    /// Puts appends into the queue. True if the caller is to make the run, by [`Shared::lead`].
    pub fn enqueue(&self, requests: impl IntoIterator<Item = Request>) -> bool {
        let mut queue = self.queue();
        queue.waiting.extend(requests);
        !std::mem::replace(&mut queue.led, true)
    }

    /// Makes one run. If others came meanwhile the committing thread goes on with them.
    pub fn lead(&self) {
        let requests = self.take_run();
        self.commit(requests);
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            queue.led = false;
        } else {
            queue.handed_over = true;
            drop(queue);
            self.more.notify_one();
        }
    }

    /// The committing thread: makes runs while others keep coming.
    pub fn work(&self) {
        loop {
            let mut queue = self.queue();
            while !queue.handed_over {
                if queue.closing {
                    return;
                }
                queue = self.more.wait(queue).expect("no thread panics while it holds the queue");
            }
            drop(queue);
            let requests = self.take_run();
            let (answered, start) = (requests.len(), Instant::now());
            self.commit(requests);
            self.let_them_come(answered, start.elapsed());
            let mut queue = self.queue();
            if queue.waiting.is_empty() {
                (queue.led, queue.handed_over) = (false, false);
            }
        }
    }

    /// Those who were answered come again at once, if they come, and one run for all of them is
    /// better than two: waits until as many are there, until no more come, or for a small part of
    /// the time that the last run took.
    fn let_them_come(&self, answered: usize, run: Duration) {
        let start = Instant::now();
        let (mut seen, mut since) = (0, start);
        loop {
            std::thread::yield_now();
            let (waiting, now) = (self.queue().waiting.len(), Instant::now());
            if waiting > seen {
                (seen, since) = (waiting, now);
            }
            if waiting >= answered || now - since > LULL || now - start > run / 4 {
                return;
            }
        }
    }

    fn take_run(&self) -> Vec<Request> {
        let mut queue = self.queue();
        let (mut requests, mut bytes) = (Vec::new(), 0);
        while let Some(next) = queue.waiting.front() {
            bytes += next.size();
            if requests.len() == RUN_APPENDS || (bytes > RUN_BYTES && !requests.is_empty()) {
                break;
            }
            requests.extend(queue.waiting.pop_front());
        }
        requests
    }

    fn commit(&self, requests: Vec<Request>) {
        let mut writer = self.writer.lock().expect("no thread panics while it writes");
        let Some(writer) = writer.as_mut() else { return };
        let mut run = Run::default();
        run.plan.begin(writer.next_position);
        run.plan.reserve(requests.len());
        for request in requests {
            let Request { entries, reply } = request;
            if let Err(error) = self.take(writer, &mut run, entries) {
                run.answers.push((reply, Err(error)));
            } else {
                run.answers.push((reply, Ok(run.plan.take_answers())));
            }
        }
        // Who waits has the answer, if it is an error.
        let _ = self.flush(writer, &mut run);
        writer.prepare_next(&self.preparer);
    }

    /// Plans one request and puts its frame into the buffer.
    fn take(
        &self,
        writer: &mut Writer,
        run: &mut Run,
        entries: Vec<Entry>,
    ) -> Result<(), AppendError> {
        self.check_poison()?;
        let first_position = run.plan.next_position();
        let fresh = run.plan.take(self, entries)?;
        if fresh.is_empty() {
            return Ok(());
        }
        let from = writer.buffer.len();
        writer.buffer.resize(from + FRAME_HEADER, 0);
        for Fresh { entry, revision, .. } in &fresh {
            entry.write(*revision, &mut writer.buffer);
        }
        if !writer.has_room(writer.buffer.len()) {
            let frame = writer.buffer.split_off(from);
            self.flush(writer, run)?;
            if let Err(error) = self.change_segment(writer, frame.len()) {
                run.plan.undo();
                return Err(error);
            }
            writer.buffer = frame;
        }
        self.seal(writer, run, first_position, fresh);
        Ok(())
    }

    fn change_segment(&self, writer: &mut Writer, frame: usize) -> Result<(), AppendError> {
        writer.next_segment(&*self.storage, &self.preparer, frame).map_err(|error| {
            if is_full(&error) {
                return self.no_space();
            }
            let path = self.storage.path(&writer.name());
            self.stop_writing(format!("the segment after {}: {error}", path.display()))
        })?;
        let mut index = self.index.write().expect("no thread panics while it changes the index");
        index.segments.push(writer.segment());
        Ok(())
    }

    /// Completes the frame at the end of the buffer.
    fn seal(&self, writer: &mut Writer, run: &mut Run, first_position: u64, fresh: Vec<Fresh>) {
        let from = run
            .frames
            .last()
            .map_or(0, |last| (last.at - writer.end) as usize + last.header.length as usize);
        let at = writer.end + from as u64;
        let before = run.frames.last();
        let run_first = run.frames.first().map_or(first_position, |f| f.header.first_position);
        let previous = before.map_or(writer.digest, |_| run.plan.digest);
        let latest = before.map_or(writer.recorded_at, |before| before.header.recorded_at);
        let frame = &mut writer.buffer[from..];
        let count: usize = fresh.iter().map(|fresh| fresh.entry.ids.len()).sum();
        let header = FrameHeader {
            length: frame.len() as u32,
            first_position,
            count: count as u32,
            run_before: (first_position - run_first) as u32,
            recorded_at: self.clock.now().as_microsecond().max(latest),
            previous,
        };
        header.seal(frame, writer.place, at);
        run.plan.digest = digest(frame);
        run.frames.push(Frame { at, header, fresh });
    }

    /// Makes the run durable and answers those who wait. After an error nothing of it counts.
    fn flush(&self, writer: &mut Writer, run: &mut Run) -> Result<(), AppendError> {
        let written = if run.frames.is_empty() { Ok(()) } else { writer.write() };
        let failure = match written {
            Ok(()) => {
                self.publish(writer, run);
                None
            }
            Err(error) if is_full(&error) && writer.take_back().is_ok() => Some(self.no_space()),
            Err(error) => {
                let path = self.storage.path(&writer.name());
                Some(self.stop_writing(format!("{}: {error}", path.display())))
            }
        };
        if failure.is_some() {
            run.plan.begin(writer.next_position);
        }
        writer.buffer.clear();
        answer::send(run.answers.drain(..).map(|(reply, outcome)| match &failure {
            Some(error) if outcome.is_ok() => (reply, Err(error.clone())),
            _ => (reply, outcome),
        }));
        // Those who were answered make their next appends meanwhile.
        if failure.is_none() {
            self.note(writer, run);
        }
        run.frames.clear();
        failure.map_or(Ok(()), Err)
    }

    /// The run is durable: readers may see it.
    fn publish(&self, writer: &mut Writer, run: &mut Run) {
        let Some(last) = run.frames.last() else { return };
        writer.end = last.at + u64::from(last.header.length);
        writer.next_position = last.header.first_position + u64::from(last.header.count);
        writer.digest = run.plan.digest;
        writer.recorded_at = last.header.recorded_at;
        writer.is_marked = false;
        let mut index = self.index.write().expect("no thread panics while it changes the index");
        let index = &mut *index;
        let segment = index.segments.last_mut().expect("a log that is written has a segment");
        segment.end = writer.end;
        (index.digest, index.recorded_at) = (writer.digest, writer.recorded_at);
        for frame in &mut run.frames {
            let first = (frame.header.first_position - segment.first_position) as u32;
            segment.frames.push(FrameAt { first, at: frame.at as u32 });
            let mut position = frame.header.first_position;
            for Fresh { entry, stream, .. } in &mut frame.fresh {
                *stream = index.streams.intern(entry.stream.as_str());
                for &id in &entry.ids {
                    index.streams.push(*stream, position);
                    index.ids.insert(id_hash(self.ledger, id), position);
                    position += 1;
                }
            }
        }
        self.head.send_replace(writer.next_position - 1);
    }

    /// Takes a durable run into the segment's index that will be written when it is sealed.
    fn note(&self, writer: &mut Writer, run: &Run) {
        for frame in &run.frames {
            writer.builder.frame(frame.header.length, frame.header.count);
            for Fresh { entry, stream, .. } in &frame.fresh {
                for &id in &entry.ids {
                    let hash = id_hash(self.ledger, id);
                    writer.builder.event(*stream, entry.stream.as_str(), hash);
                }
            }
        }
    }

    fn check_poison(&self) -> Result<(), AppendError> {
        match self.poison.get() {
            Some(reason) => Err(AppendError::Poisoned { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn no_space(&self) -> AppendError {
        AppendError::NoSpace { path: self.storage.path("") }
    }

    /// Nothing is written any more: after a failed sync nobody knows what is on the disk.
    fn stop_writing(&self, reason: String) -> AppendError {
        tracing::error!(%reason, "the ledger stops writing");
        let reason = self.poison.get_or_init(|| reason).clone();
        AppendError::Poisoned { reason }
    }
}
