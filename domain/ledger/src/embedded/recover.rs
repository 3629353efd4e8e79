//! Opening: what of the files counts, what was torn, and what is damage.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use cx_model::Position;
use uuid::Uuid;

use super::format::{HEADER, Place, SegmentHeader, segment_name, segment_number, sidecar_name};
use super::index::{Index, Segment};
use super::scan::{Collect, ScanError, Standing, Stop, Window, collect, find_later_proof, walk};
use super::sidecar::{self, Builder, Summary};
use crate::error::OpenError;
use crate::storage::{Storage, StorageFile};

/// So many sidecars are in memory at once.
const AT_ONCE: usize = 16;

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// The last position.
    pub head: Position,
    /// How many segments hold events.
    pub segments: usize,
    /// How many streams there are.
    pub streams: usize,
    /// It was opened to read beside a process that has it open to write.
    pub beside_a_writer: bool,
    /// The log was closed in order before.
    pub was_clean: bool,
    /// The bytes of a run that was never acknowledged, cut back because it was torn.
    pub torn_bytes: u64,
    /// Where they began.
    pub torn_at: Option<(PathBuf, u64)>,
    /// How many indexes of sealed segments were missing or broken, and made again.
    pub indexes_rebuilt: usize,
}

/// How a log is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To write: torn bytes will be cleared.
    Write,
    /// To read, while nobody writes.
    ReadAlone,
    /// To read beside a writer.
    ReadBeside,
}

/// A log as found, with its last segment.
pub(crate) struct Recovered {
    pub ledger: Uuid,
    pub index: Index,
    pub last: Option<Last>,
    /// Segments that are prepared and hold nothing yet.
    pub unused: Vec<u32>,
    /// Sidecars to be written.
    pub sidecars: Vec<(u32, Vec<u8>)>,
    pub report: OpenReport,
}

/// The segment that is written to.
pub(crate) struct Last {
    pub header: SegmentHeader,
    pub file: Arc<dyn StorageFile>,
    pub standing: Standing,
    pub builder: Builder,
    /// One past the last byte that is not zero.
    pub end_of_bytes: u64,
}

struct Found {
    number: u32,
    file: Arc<dyn StorageFile>,
    size: u64,
    header: Result<Option<SegmentHeader>, String>,
}

struct Opening<'a> {
    storage: &'a dyn Storage,
    mode: Mode,
    names: Vec<String>,
    index: Index,
    sidecars: Vec<(u32, Vec<u8>)>,
}

/// Reads a log. `None` if the directory holds none.
pub(crate) fn recover(storage: &dyn Storage, mode: Mode) -> Result<Recovered, OpenError> {
    let names = storage.list().map_err(|error| failed(storage, "", error))?;
    let mut opening = Opening { storage, mode, names, index: Index::default(), sidecars: vec![] };
    let mut found = opening.find_segments()?;
    let used = opening.count_used(&mut found)?;
    // A header that was torn before it was used.
    let torn_header = found[used..].iter().find(|segment| segment.header.is_err());
    let torn_header = torn_header.map(|segment| (storage.path(&segment_name(segment.number)), 0));
    let unused: Vec<u32> = found.drain(used..).map(|segment| segment.number).collect();
    let mut headers = Vec::new();
    for segment in &found {
        headers.push(opening.check_header(segment, headers.last())?);
    }
    let rebuilt = opening.load_all_sealed(&found, &headers)?;
    let last = match (found.pop(), headers.pop()) {
        (Some(segment), Some(header)) => Some(opening.load_last(segment, header)?),
        _ => None,
    };
    let standing = last.as_ref().map(|last| &last.standing);
    let torn_run = last.as_ref().filter(|last| last.end_of_bytes > last.standing.end);
    let torn_bytes = torn_run.map_or(0, |last| last.end_of_bytes - last.standing.end)
        + torn_header.as_ref().map_or(0, |_| HEADER);
    let report = OpenReport {
        head: Position::new(standing.map_or(0, |standing| standing.next_position - 1)),
        segments: opening.index.segments.len(),
        streams: opening.index.streams.len(),
        beside_a_writer: mode == Mode::ReadBeside,
        was_clean: standing.is_none_or(Standing::is_clean) && torn_bytes == 0,
        torn_bytes,
        torn_at: torn_run
            .map(|last| (storage.path(&segment_name(last.header.number)), last.standing.end))
            .or(torn_header),
        indexes_rebuilt: rebuilt,
    };
    let ledger = last.as_ref().map_or(Uuid::nil(), |last| last.header.ledger);
    let Opening { index, sidecars, .. } = opening;
    Ok(Recovered { ledger, index, last, unused, sidecars, report })
}

fn failed(storage: &dyn Storage, name: &str, source: io::Error) -> OpenError {
    OpenError::Io { path: storage.path(name), source }
}

/// How many threads load sidecars: a number that divides that of the index's parts.
fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    1 << cores.clamp(1, 16).ilog2()
}

/// Works on all items in several threads; the answers are in order.
fn in_threads<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let each = items.len().div_ceil(threads()).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let started: Vec<_> = items
            .chunks(each)
            .map(|items| scope.spawn(move || items.iter().map(work).collect::<Vec<_>>()))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<U>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        started.into_iter().flat_map(join).collect()
    })
}

/// What the sidecar of a segment must say, by the headers.
fn summary(header: &SegmentHeader, next: &SegmentHeader) -> Summary {
    Summary {
        segment: header.number,
        ledger: header.ledger,
        first_position: header.first_position,
        events: next.first_position - header.first_position,
        end: next.previous_end,
        recorded_at: next.recorded_at,
        digest: next.digest,
    }
}

fn new_segment(found: &Found, header: &SegmentHeader, end: u64) -> Segment {
    Segment {
        number: header.number,
        first_position: header.first_position,
        place: Place::new(header.ledger, header.number),
        file: found.file.clone(),
        frames: Vec::new(),
        end,
    }
}

impl Opening<'_> {
    fn damaged(&self, number: u32, offset: u64, reason: impl Into<String>) -> OpenError {
        let path = self.storage.path(&segment_name(number));
        OpenError::Damaged { path, offset, reason: reason.into() }
    }

    fn io(&self, number: u32) -> impl Fn(io::Error) -> OpenError + '_ {
        move |error| failed(self.storage, &segment_name(number), error)
    }

    fn scan_error(&self, number: u32) -> impl Fn(ScanError) -> OpenError + '_ {
        move |error| match error {
            ScanError::Io(error) => failed(self.storage, &segment_name(number), error),
            ScanError::Damaged { offset, reason } => self.damaged(number, offset, reason),
        }
    }

    fn has_sidecar(&self, number: u32) -> bool {
        self.names.contains(&sidecar_name(number))
    }

    fn find_segments(&self) -> Result<Vec<Found>, OpenError> {
        let mut numbers: Vec<_> =
            self.names.iter().filter_map(|name| segment_number(name)).collect();
        numbers.sort_unstable();
        for (expected, &number) in (1..).zip(&numbers) {
            if number != expected {
                return Err(self.damaged(expected, 0, "the segment's file is missing"));
            }
        }
        let last = numbers.last().copied().unwrap_or(0);
        if let Some(sealed) = (last..last + 2).rev().find(|&number| self.has_sidecar(number)) {
            return Err(self.damaged(sealed + 1, 0, "the segment's file is missing"));
        }
        let open = |number| {
            let file = self
                .storage
                .open(&segment_name(number), self.mode == Mode::Write)
                .map_err(self.io(number))?;
            let size = file.size().map_err(self.io(number))?;
            if size < HEADER {
                return Err(self.damaged(number, size, "the segment's file is cut short"));
            }
            let mut bytes = [0; HEADER as usize];
            file.read_at(&mut bytes, 0).map_err(self.io(number))?;
            let empty = bytes.iter().all(|&byte| byte == 0);
            let header = if empty { Ok(None) } else { SegmentHeader::decode(&bytes).map(Some) };
            Ok(Found { number, file, size, header })
        };
        numbers.into_iter().map(open).collect()
    }

    /// How many segments are in use. What follows is prepared: all zeros, or with a header that
    /// was torn before anything was written behind it.
    fn count_used(&self, found: &mut [Found]) -> Result<usize, OpenError> {
        let mut used = found.len();
        while used > 0 {
            let segment = &found[used - 1];
            let number = segment.number;
            if matches!(segment.header, Ok(Some(_))) {
                break;
            }
            let mut window = Window::new(segment.file.clone(), segment.size);
            let end = window.end_of_bytes(HEADER).map_err(self.io(number))?;
            let reason = match &segment.header {
                Err(reason) => reason.as_str(),
                _ => "the segment's header is gone",
            };
            // The index of a segment is only written when the header of the next one is durable.
            if end > HEADER || (number > 1 && self.has_sidecar(number - 1)) {
                return Err(self.damaged(number, 0, reason));
            }
            used -= 1;
        }
        Ok(used)
    }

    fn check_header(
        &self,
        segment: &Found,
        before: Option<&SegmentHeader>,
    ) -> Result<SegmentHeader, OpenError> {
        let number = segment.number;
        let header = match &segment.header {
            Ok(Some(header)) => header.clone(),
            Ok(None) => return Err(self.damaged(number, 0, "the segment's header is gone")),
            Err(reason) => return Err(self.damaged(number, 0, reason.as_str())),
        };
        if header.number != number {
            return Err(self.damaged(number, 12, "the header is that of another segment"));
        }
        if header.size != segment.size {
            let offset = header.size.min(segment.size);
            return Err(self.damaged(number, offset, "the segment's file has another length"));
        }
        let follows = match before {
            None => header.first_position == 1 && header.previous_end == 0,
            Some(before) => {
                before.ledger == header.ledger
                    && before.first_position <= header.first_position
                    && before.recorded_at <= header.recorded_at
                    && (HEADER..=before.size).contains(&header.previous_end)
            }
        };
        if follows {
            Ok(header)
        } else {
            Err(self.damaged(number, 0, "the segment does not follow the one before it"))
        }
    }

    /// Takes all sealed segments in, in order: by their sidecars, many at once, or by reading those
    /// that have none. How many were read.
    fn load_all_sealed(
        &mut self,
        found: &[Found],
        headers: &[SegmentHeader],
    ) -> Result<usize, OpenError> {
        let mut rebuilt = 0;
        let pairs: Vec<_> = headers.windows(2).zip(found).collect();
        for group in pairs.chunks(AT_ONCE) {
            let summaries: Vec<_> =
                group.iter().map(|(pair, _)| summary(&pair[0], &pair[1])).collect();
            let sidecars = in_threads(&summaries, |summary| self.read_sidecar(summary));
            let mut ready = Vec::new();
            for (n, sidecar) in sidecars.into_iter().enumerate() {
                if let Some(bytes) = sidecar {
                    ready.push((n, bytes));
                    continue;
                }
                self.load_sidecars(group, &summaries, &ready)?;
                ready.clear();
                let (pair, found) = group[n];
                self.load_sealed(found, &pair[0], &pair[1], &summaries[n])?;
                rebuilt += 1;
            }
            self.load_sidecars(group, &summaries, &ready)?;
        }
        let threads = threads();
        let Index { streams, ids, .. } = &mut self.index;
        std::thread::scope(|scope| {
            for mut share in sidecar::shares(streams, ids, threads) {
                scope.spawn(move || share.settle());
            }
        });
        Ok(rebuilt)
    }

    /// Takes in segments that follow each other, each thread a share of their streams and ids.
    fn load_sidecars(
        &mut self,
        group: &[(&[SegmentHeader], &Found)],
        summaries: &[Summary],
        ready: &[(usize, Vec<u8>)],
    ) -> Result<(), OpenError> {
        let threads = threads();
        let Index { streams, ids, .. } = &mut self.index;
        let load = |mut share: sidecar::Share<'_>| {
            let load = |(n, bytes): &(usize, Vec<u8>)| share.load(bytes, &summaries[*n]);
            ready.iter().map(load).collect::<Vec<_>>()
        };
        let loaded = std::thread::scope(|scope| {
            let work: Vec<_> = sidecar::shares(streams, ids, threads)
                .map(|share| scope.spawn(move || load(share)))
                .collect();
            let done = work
                .into_iter()
                .map(|share| share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            // All threads see the same frames; what one of them could not take in, none has.
            let both = |one: Option<_>, other: Option<_>| one.filter(|_| other.is_some());
            let meet = |one: Vec<_>, other: Vec<_>| {
                one.into_iter().zip(other).map(|(a, b)| both(a, b)).collect()
            };
            done.reduce(meet).expect("there is at least one share")
        });
        for ((n, _), frames) in ready.iter().zip(loaded) {
            let (pair, found) = group[*n];
            let path = self.storage.path(&sidecar_name(pair[0].number));
            let reason = "its checksum is right and its contents are not: remove it".into();
            let frames = frames.ok_or(OpenError::Damaged { path, offset: 0, reason })?;
            let segment = new_segment(found, &pair[0], pair[1].previous_end);
            self.index.segments.push(Segment { frames, ..segment });
        }
        Ok(())
    }

    /// Takes a sealed segment in by reading it.
    fn load_sealed(
        &mut self,
        found: &Found,
        header: &SegmentHeader,
        next: &SegmentHeader,
        summary: &Summary,
    ) -> Result<(), OpenError> {
        let number = header.number;
        let mut segment = new_segment(found, header, next.previous_end);
        let mut standing = Standing::at_begin(header);
        let mut builder = Builder::default();
        let mut window = Window::new(found.file.clone(), header.size);
        let to = (next.previous_end, u64::MAX);
        let stop = self.walk_into(&mut window, &mut segment, &mut builder, &mut standing, to)?;
        let reached = (standing.end, standing.next_position, standing.digest);
        if reached != (next.previous_end, next.first_position, next.digest) {
            let reason = match stop {
                Stop::NoFrame(reason) => reason,
                Stop::Arrived => "the segment is not what the next one says".into(),
            };
            return Err(self.damaged(number, standing.end, reason));
        }
        self.index.segments.push(segment);
        self.sidecars.push((number, builder.finish(summary)));
        Ok(())
    }

    /// The sidecar of a segment, if it is whole and says the same as the headers.
    fn read_sidecar(&self, summary: &Summary) -> Option<Vec<u8>> {
        let file = self.storage.open(&sidecar_name(summary.segment), false).ok()?;
        let mut bytes = vec![0; file.size().ok()? as usize];
        file.read_at(&mut bytes, 0).ok()?;
        (sidecar::read_summary(&bytes).as_ref() == Some(summary)).then_some(bytes)
    }

    fn walk_into(
        &mut self,
        window: &mut Window,
        segment: &mut Segment,
        builder: &mut Builder,
        standing: &mut Standing,
        to: (u64, u64),
    ) -> Result<Stop, OpenError> {
        let ledger = self.ledger_of(segment, window)?;
        let (number, place) = (segment.number, segment.place);
        let mut index = std::mem::take(&mut self.index);
        let mut into = Collect { index: &mut index, segment, builder };
        let walked = walk(window, place, standing, to, |at, header, frame| {
            collect(&mut into, ledger, at, header, frame)
        });
        self.index = index;
        walked.map_err(self.scan_error(number))
    }

    fn ledger_of(&self, segment: &Segment, window: &mut Window) -> Result<Uuid, OpenError> {
        let bytes = window.get(16, 16).map_err(self.io(segment.number))?;
        Ok(Uuid::from_slice(bytes).expect("sixteen bytes"))
    }

    fn load_last(&mut self, found: Found, header: SegmentHeader) -> Result<Last, OpenError> {
        let number = header.number;
        let mut segment = new_segment(&found, &header, HEADER);
        let mut builder = Builder::default();
        let mut window = Window::new(found.file.clone(), header.size);
        let visible = match self.mode {
            Mode::ReadBeside => {
                let whole = self.whole_beside(&mut window, &segment, &header)?;
                found.file.sync_data().map_err(self.io(number))?;
                whole
            }
            Mode::Write | Mode::ReadAlone => u64::MAX,
        };
        let mut standing = Standing::at_begin(&header);
        let to = (header.size, visible);
        self.walk_into(&mut window, &mut segment, &mut builder, &mut standing, to)?;
        let mut end_of_bytes = standing.end;
        if self.mode != Mode::ReadBeside {
            end_of_bytes = window.end_of_bytes(standing.end).map_err(self.io(number))?;
            let proof = find_later_proof(&mut window, segment.place, &standing, end_of_bytes);
            if let Some(proof) = proof.map_err(self.io(number))? {
                return Err(self.lost_frame(number, standing.end, proof));
            }
        }
        if self.mode == Mode::ReadAlone {
            // What a reader shows must not be lost to a power cut after it was shown.
            found.file.sync_data().map_err(self.io(number))?;
        }
        segment.end = standing.end;
        self.index.segments.push(segment);
        Ok(Last { header, file: found.file, standing, builder, end_of_bytes })
    }

    fn lost_frame(&self, number: u32, offset: u64, proof: u64) -> OpenError {
        self.damaged(
            number,
            offset,
            format!("no whole frame begins here, but the frame at byte {proof} says that one was durable"),
        )
    }

    /// The position of the last whole frame, beside a writer who writes on while this reads. Its
    /// run may be about to be synced: the caller syncs before it shows anything.
    fn whole_beside(
        &self,
        window: &mut Window,
        segment: &Segment,
        header: &SegmentHeader,
    ) -> Result<u64, OpenError> {
        let number = header.number;
        let mut standing = Standing::at_begin(header);
        let to = (header.size, u64::MAX);
        loop {
            window.forget();
            walk(window, segment.place, &mut standing, to, |_, _, _| Ok(()))
                .map_err(self.scan_error(number))?;
            let end = window.end_of_bytes(standing.end).map_err(self.io(number))?;
            let proof = find_later_proof(window, segment.place, &standing, end);
            let Some(proof) = proof.map_err(self.io(number))? else {
                return Ok(standing.next_position - 1);
            };
            // A frame that was written after this place was read is no proof: read it again.
            let before = standing.end;
            window.forget();
            walk(window, segment.place, &mut standing, to, |_, _, _| Ok(()))
                .map_err(self.scan_error(number))?;
            if standing.end == before {
                return Err(self.lost_frame(number, before, proof));
            }
        }
    }
}
