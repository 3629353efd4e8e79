//! Opening: what of the files counts, what was torn, and what is damage.

mod headers;
mod sealed;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use cx_model::Position;
use uuid::Uuid;

use super::format::{HEADER, Place, SegmentHeader, segment_name};
use super::index::{Index, Segment};
use super::scan::{Collect, ScanError, Standing, Stop, Window, collect, find_later_proof, walk};
use super::sidecar::Builder;
use crate::error::OpenError;
use crate::storage::{Storage, StorageFile};

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
