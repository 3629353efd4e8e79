//! Group commit: who finds nobody at it makes the run durable, who comes meanwhile is in the next.

use std::time::{Duration, Instant};

use super::answer;
use super::ids::id_hash;
use super::index::FrameAt;
use super::pending::{Lead, Request, Run};
use super::shared::Shared;
use super::writer::{Writer, is_full};
use crate::error::AppendError;

/// A run with fewer answers than this was one caller's own.
const MANY: usize = 4;
/// Nobody came for so long: nobody is about to.
const LULL: Duration = Duration::from_micros(15);

impl Shared {
    /// Gives appends their places. True if the caller is to make them durable, by [`Shared::lead`].
    /// Where many come, the committing thread does it from the first: a caller that leads is missing
    /// from those who make and answer appends meanwhile.
    pub fn add(&self, requests: impl IntoIterator<Item = Request>) -> bool {
        let mut pending = self.pending();
        for request in requests {
            pending.add(self, request);
        }
        if pending.lead != Lead::Nobody {
            return false;
        }
        if pending.crowded {
            pending.lead = Lead::Thread;
            drop(pending);
            self.more.notify_one();
            return false;
        }
        pending.lead = Lead::Caller;
        true
    }

    /// Makes one run durable. If others came meanwhile the committing thread goes on with them.
    pub fn lead(&self) {
        self.commit();
        let mut pending = self.pending();
        if pending.len() == 0 {
            pending.lead = Lead::Nobody;
        } else {
            drop(pending);
            self.hand_over();
        }
    }

    /// The committing thread goes on in the place of who leads.
    pub fn hand_over(&self) {
        self.pending().lead = Lead::Thread;
        self.more.notify_one();
    }

    /// The committing thread: makes runs durable while others keep coming.
    pub fn work(&self) {
        loop {
            let mut pending = self.pending();
            while pending.lead != Lead::Thread {
                if pending.closing {
                    return;
                }
                pending =
                    self.more.wait(pending).expect("no thread panics while it plans an append");
            }
            drop(pending);
            let start = Instant::now();
            let answered = self.commit();
            self.let_them_come(answered, start.elapsed());
            let mut pending = self.pending();
            if pending.len() == 0 {
                pending.lead = Lead::Nobody;
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
            let (waiting, now) = (self.pending().len(), Instant::now());
            if waiting > seen {
                (seen, since) = (waiting, now);
            }
            if waiting >= answered || now - since > LULL || now - start > run / 4 {
                return;
            }
        }
    }

    /// Makes the run durable that is there, and answers. Gives how many were answered.
    fn commit(&self) -> usize {
        let mut writer = self.writer.lock().expect("no thread panics while it writes");
        let Some(writer) = writer.as_mut() else { return 0 };
        let mut run = self.pending().turn(self, std::mem::take(&mut writer.spare));
        if run.answers.is_empty() {
            self.change_segment(writer);
            run = self.pending().turn(self, run);
        }
        let answered = run.answers.len();
        self.pending().crowded = answered >= MANY;
        self.flush(writer, &mut run);
        run.reset();
        writer.spare = run;
        writer.prepare_next(&self.preparer);
        answered
    }

    /// Goes on in the next segment, if an append waits for it. Nobody takes a place meanwhile.
    fn change_segment(&self, writer: &mut Writer) {
        let Some(frame) = self.pending().needs_segment() else { return };
        match writer.next_segment(&*self.storage, &self.preparer, frame) {
            Ok(()) => {
                let mut index = self.index.write().expect("no thread panics while it changes it");
                index.segments.push(writer.segment());
                drop(index);
                self.pending().go_on(self, writer);
            }
            Err(error) if is_full(&error) => self.pending().stay(self, self.no_space()),
            Err(error) => {
                let path = self.storage.path(&writer.name());
                let error =
                    self.stop_writing(format!("the segment after {}: {error}", path.display()));
                self.pending().stay(self, error);
            }
        }
    }

    /// Makes a run durable and answers those who wait. After an error nothing of it counts, and
    /// nothing that was planned after it.
    fn flush(&self, writer: &mut Writer, run: &mut Run) {
        let written = if run.frames.is_empty() { Ok(()) } else { writer.write(&run.bytes) };
        let failure = match written {
            Ok(()) => {
                self.publish(writer, run);
                answer::send(run.answers.drain(..));
                // Those who were answered make their next appends meanwhile.
                return self.note(writer, run);
            }
            Err(error) if is_full(&error) && writer.take_back(run.bytes.len()).is_ok() => {
                self.no_space()
            }
            Err(error) => {
                let path = self.storage.path(&writer.name());
                self.stop_writing(format!("{}: {error}", path.display()))
            }
        };
        let after = self.pending().fall_back(self, writer);
        let all = run.answers.drain(..).chain(after);
        answer::send(all.map(|(reply, _)| (reply, Err(failure.clone()))));
    }

    /// The run is durable: readers may see it.
    fn publish(&self, writer: &mut Writer, run: &mut Run) {
        let Some(last) = run.frames.last() else { return };
        writer.end = last.at + u64::from(last.header.length);
        writer.next_position = last.header.first_position + u64::from(last.header.count);
        writer.digest = run.digest;
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
            for entry in frame.entries.iter_mut().filter(|entry| entry.revision.is_some()) {
                let stream = entry.number.unwrap_or_else(|| {
                    index.streams.intern(entry.stream.as_str(), entry.stream_id)
                });
                entry.number = Some(stream);
                for &id in &entry.ids {
                    index.streams.push(stream, position);
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
            for entry in frame.entries.iter().filter(|entry| entry.revision.is_some()) {
                let stream = entry.number.expect("the stream of a durable event has a number");
                for &id in &entry.ids {
                    let hash = id_hash(self.ledger, id);
                    writer.builder.event(stream, entry.stream.as_str(), entry.stream_id, hash);
                }
            }
        }
    }

    pub fn check_poison(&self) -> Result<(), AppendError> {
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
