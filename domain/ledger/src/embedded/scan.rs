//! Walking through a segment's frames, trusting nothing.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::format::{
    Digest, FRAME_HEADER, FrameHeader, HEADER, Place, SegmentHeader, check_frame, digest,
    take_event, u32_at, u64_at,
};
use super::ids::id_hash;
use super::index::{FrameAt, Index, Segment};
use super::sidecar::Builder;
use super::streams::id_of;
use crate::storage::StorageFile;

/// How many bytes are read at once.
const CHUNK: u64 = 1 << 20;

/// A view of a file that moves forward.
pub(crate) struct Window {
    pub file: Arc<dyn StorageFile>,
    pub size: u64,
    bytes: Vec<u8>,
    from: u64,
}

impl Window {
    pub fn new(file: Arc<dyn StorageFile>, size: u64) -> Self {
        Self { file, size, bytes: Vec::new(), from: 0 }
    }

    /// The bytes from a place on, as many as there are up to `length`.
    pub fn get(&mut self, at: u64, length: u64) -> io::Result<&[u8]> {
        let to = at.saturating_add(length).min(self.size);
        if at < self.from || to > self.from + self.bytes.len() as u64 {
            let read = to.max(at.saturating_add(CHUNK).min(self.size)).saturating_sub(at);
            self.bytes.clear();
            self.bytes.resize(read as usize, 0);
            self.file.read_at(&mut self.bytes, at)?;
            self.from = at;
        }
        let from = at.saturating_sub(self.from) as usize;
        Ok(&self.bytes[from..(to.max(at) - self.from) as usize])
    }

    /// Forgets what was read, so that it is read again.
    pub fn forget(&mut self) {
        self.bytes.clear();
        self.from = 0;
    }

    /// One past the last byte from `at` on that is not zero; `at` if all are.
    pub fn end_of_bytes(&mut self, at: u64) -> io::Result<u64> {
        let (mut end, mut from) = (at, at);
        while from < self.size {
            let chunk = self.get(from, CHUNK)?;
            if let Some(last) = chunk.iter().rposition(|&byte| byte != 0) {
                end = from + last as u64 + 1;
            }
            from += chunk.len() as u64;
        }
        Ok(end)
    }
}

/// Where a walk stands: everything before `end` is whole and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub end: u64,
    pub next_position: u64,
    pub digest: Digest,
    pub recorded_at: i64,
    /// The last frame, a mark included.
    pub last: Option<FrameHeader>,
    /// Where the last frame's run begins, in bytes.
    pub run_from: u64,
}

impl Standing {
    pub fn at_begin(header: &SegmentHeader) -> Self {
        Self {
            end: HEADER,
            next_position: header.first_position,
            digest: header.digest,
            recorded_at: header.recorded_at,
            last: None,
            run_from: HEADER,
        }
    }

    /// Whether the last frame marks a clean close.
    pub fn is_clean(&self) -> bool {
        self.last.is_some_and(|last| last.count == 0)
    }
}

/// What a walk takes along.
pub(crate) struct Collect<'a> {
    pub index: &'a mut Index,
    pub segment: &'a mut Segment,
    pub builder: &'a mut Builder,
}

/// Why a walk stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It came to `to`, or beyond the last position it was to read.
    Arrived,
    /// The bytes at the end are no frame that can stand there.
    NoFrame(String),
}

/// A frame that is whole but says what cannot be.
#[derive(Debug)]
pub(crate) enum ScanError {
    Io(io::Error),
    Damaged { offset: u64, reason: String },
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Walks on from where `standing` is, at most to the byte `to` and to the position `last`, and
/// calls `each` with every frame.
pub(crate) fn walk(
    window: &mut Window,
    place: Place,
    standing: &mut Standing,
    (to, last): (u64, u64),
    mut each: impl FnMut(u64, &FrameHeader, &[u8]) -> Result<(), ScanError>,
) -> Result<Stop, ScanError> {
    loop {
        let at = standing.end;
        if at >= to || standing.next_position > last {
            return Ok(Stop::Arrived);
        }
        let start = window.get(at, FRAME_HEADER as u64)?;
        if start.len() < FRAME_HEADER {
            return Ok(Stop::NoFrame("the segment ends".into()));
        }
        let length = u64::from(u32_at(start, 4));
        if at + length > to {
            return Ok(Stop::NoFrame("a frame's length cannot be".into()));
        }
        let bytes = window.get(at, length.max(FRAME_HEADER as u64))?;
        let header = match check_frame(bytes, place, at) {
            Ok(header) => header,
            Err(reason) => return Ok(Stop::NoFrame(reason)),
        };
        if header.first_position != standing.next_position || header.previous != standing.digest {
            return Ok(Stop::NoFrame("a frame does not follow the one before it".into()));
        }
        if standing
            .last
            .is_none_or(|last| last.run_first() != header.run_first() || last.count == 0)
        {
            standing.run_from = at;
        }
        each(at, &header, &bytes[..length as usize])?;
        standing.end = at + length;
        standing.next_position += u64::from(header.count);
        standing.last = Some(header);
        if header.count > 0 {
            standing.digest = digest(&bytes[..length as usize]);
            standing.recorded_at = header.recorded_at.max(standing.recorded_at);
        }
    }
}

/// Takes a frame's events into the index, the segment and the sidecar.
pub(crate) fn collect(
    into: &mut Collect<'_>,
    ledger: Uuid,
    at: u64,
    header: &FrameHeader,
    frame: &[u8],
) -> Result<(), ScanError> {
    let damaged = |reason: &str| ScanError::Damaged { offset: at, reason: reason.into() };
    into.builder.frame(header.length, header.count);
    if header.count > 0 {
        let first = (header.first_position - into.segment.first_position) as u32;
        into.segment.frames.push(FrameAt { first, at: at as u32 });
    }
    let mut place = FRAME_HEADER;
    let mut current = None;
    for position in header.first_position..header.first_position + u64::from(header.count) {
        let event =
            take_event(frame, &mut place).ok_or_else(|| damaged("an event is cut short"))?;
        if let Some((name, revision)) = event.stream {
            let id = id_of(name);
            let stream = into.index.streams.intern(name, id);
            if into.index.streams.positions(stream).len() as u64 != revision {
                return Err(damaged("an event has another revision than its stream says"));
            }
            current = Some((stream, name, id));
        }
        let (stream, name, stream_id) = current.ok_or_else(|| damaged("an event has no stream"))?;
        let hash = id_hash(ledger, event.id);
        into.builder.event(stream, name, stream_id, hash);
        into.index.streams.push(stream, position);
        into.index.ids.insert(hash, position);
    }
    if place == frame.len() { Ok(()) } else { Err(damaged("a frame is longer than its events")) }
}

/// Looks behind the end of the frames for a whole frame that says that something after the end was
/// durable already. Its place is the proof of damage.
pub(crate) fn find_later_proof(
    window: &mut Window,
    place: Place,
    standing: &Standing,
    to: u64,
) -> io::Result<Option<u64>> {
    let size = window.size;
    let mut at = standing.end + 1;
    while at + FRAME_HEADER as u64 <= to {
        let span = window.get(at, CHUNK.min(size - at))?.len();
        for within in 0..span.saturating_sub(FRAME_HEADER - 1) {
            let here = at + within as u64;
            let chunk = window.get(at, span as u64)?;
            let length = u64::from(u32_at(chunk, within + 4));
            let first = u64_at(chunk, within + 8);
            let plausible = length >= FRAME_HEADER as u64
                && here + length <= size
                && first >= standing.next_position
                && first - standing.next_position <= size;
            if !plausible {
                continue;
            }
            let durable = FrameHeader::decode(&chunk[within..within + FRAME_HEADER]).durable();
            if durable < standing.next_position {
                continue;
            }
            let frame = window.get(here, length)?;
            if check_frame(frame, place, here).is_ok() {
                return Ok(Some(here));
            }
            window.get(at, span as u64)?;
        }
        at += (span + 1).saturating_sub(FRAME_HEADER).max(1) as u64;
    }
    Ok(None)
}
