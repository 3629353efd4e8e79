//! What the log keeps in memory: segments with the places of their frames, streams, ids.

use std::sync::Arc;

use super::format::{Digest, Place, segment_name};
use super::ids::IdTable;
use super::streams::Streams;
use crate::storage::StorageFile;

/// Everything in memory. It holds durable events only.
#[derive(Default)]
pub(crate) struct Index {
    pub segments: Vec<Segment>,
    pub streams: Streams,
    pub ids: IdTable,
    /// The digest of the last append.
    pub digest: Digest,
    /// When it was recorded, in microseconds.
    pub recorded_at: i64,
}

/// A segment that is in use.
pub(crate) struct Segment {
    pub number: u32,
    pub first_position: u64,
    pub place: Place,
    pub file: Arc<dyn StorageFile>,
    /// Where each append begins, marks left out. Shared with readers, grown by the writer alone.
    pub frames: Vec<FrameAt>,
    /// Where the frames end.
    pub end: u64,
}

/// Where a frame begins, in events and bytes from the segment's begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameAt {
    pub first: u32,
    pub at: u32,
}

/// Whole frames in one segment that follow each other, to be read at once.
#[derive(Clone)]
pub(crate) struct Stretch {
    pub number: u32,
    pub place: Place,
    pub file: Arc<dyn StorageFile>,
    pub from: u64,
    pub to: u64,
    /// The first position in it.
    pub first_position: u64,
}

impl Stretch {
    /// The segment's file, as errors name it.
    pub fn name(&self) -> String {
        segment_name(self.number)
    }

    /// How many bytes it is.
    pub fn length(&self) -> u64 {
        self.to - self.from
    }
}

impl Segment {
    fn frame_of(&self, position: u64) -> usize {
        let first = (position - self.first_position) as u32;
        self.frames.partition_point(|frame| frame.first <= first) - 1
    }

    fn frame_end(&self, frame: usize) -> u64 {
        self.frames.get(frame + 1).map_or(self.end, |next| u64::from(next.at))
    }

    fn stretch(&self, from: usize, to_byte: u64) -> Stretch {
        Stretch {
            number: self.number,
            place: self.place,
            file: self.file.clone(),
            from: u64::from(self.frames[from].at),
            to: to_byte,
            first_position: self.first_position + u64::from(self.frames[from].first),
        }
    }
}

impl Index {
    fn segment_of(&self, position: u64) -> &Segment {
        let after = self.segments.partition_point(|segment| segment.first_position <= position);
        &self.segments[after - 1]
    }

    /// The frame that holds an event. The position must be the ledger's.
    pub fn frame(&self, position: u64) -> Stretch {
        let segment = self.segment_of(position);
        let frame = segment.frame_of(position);
        segment.stretch(frame, segment.frame_end(frame))
    }

    /// Frames from the one that holds `first` on: at most to the one that holds `last`, to the
    /// segment's end, or as many as fit `bytes`; at least one.
    pub fn forwards(&self, first: u64, last: u64, bytes: u64) -> Stretch {
        let segment = self.segment_of(first);
        let from = segment.frame_of(first);
        let begin = u64::from(segment.frames[from].at);
        let fits = segment.frames.partition_point(|frame| u64::from(frame.at) <= begin + bytes);
        let in_segment = segment.first_position + u64::from(u32::MAX);
        let holds_last = segment.frame_of(last.min(in_segment));
        let to = holds_last.min(fits.saturating_sub(2)).max(from);
        segment.stretch(from, segment.frame_end(to))
    }

    /// Frames up to the one that holds `last`: at most from the one that holds `first`, from the
    /// segment's begin, or as many as fit `bytes`; at least one.
    pub fn backwards(&self, first: u64, last: u64, bytes: u64) -> Stretch {
        let segment = self.segment_of(last);
        let to = segment.frame_of(last);
        let end = segment.frame_end(to);
        let fits = segment.frames.partition_point(|frame| u64::from(frame.at) + bytes < end);
        let holds_first = segment.frame_of(first.max(segment.first_position));
        segment.stretch(fits.max(holds_first).min(to), end)
    }
}
