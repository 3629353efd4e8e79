//! The one place that changes the log: frames into the last segment, and the next segment.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::format::{
    Digest, FRAME_HEADER, FrameHeader, HEADER, Place, SegmentHeader, segment_name,
};
use super::index::Segment;
use super::pending::Run;
use super::prepare::{Prepared, Preparer};
use super::recover::Last;
use super::scan::Standing;
use super::sidecar::{Builder, Summary};
use crate::storage::{Storage, StorageFile};

/// The last segment and where it stands. All of it is durable.
pub(crate) struct Writer {
    pub header: SegmentHeader,
    pub file: Arc<dyn StorageFile>,
    pub place: Place,
    pub end: u64,
    pub next_position: u64,
    pub digest: Digest,
    pub recorded_at: i64,
    pub builder: Builder,
    /// The memory of the last run, for the next but one.
    pub spare: Run,
    /// The last frame marks a clean close.
    pub is_marked: bool,
}

impl Writer {
    /// A new ledger.
    pub fn create(storage: &dyn Storage, preparer: &Preparer, ledger: Uuid) -> io::Result<Self> {
        let empty = preparer.take(storage, 1, HEADER)?;
        let header = SegmentHeader {
            number: 1,
            ledger,
            first_position: 1,
            size: empty.size,
            previous_end: 0,
            recorded_at: i64::MIN,
            digest: [0; 32],
        };
        write_header(&empty, &header)?;
        let last = Last {
            standing: Standing::at_begin(&header),
            header,
            file: empty.file,
            builder: Builder::default(),
            end_of_bytes: HEADER,
        };
        Ok(Self::of(last))
    }

    /// Goes on with a log as it was found: what was torn becomes zeros again, and the last run is
    /// written once more, since nobody knows whether a write before a crash reached the disk.
    pub fn resume(last: Last) -> io::Result<Self> {
        let Last { standing, end_of_bytes, file, .. } = &last;
        let mut run = vec![0; (standing.end - standing.run_from) as usize];
        file.read_at(&mut run, standing.run_from)?;
        file.write_at(&run, standing.run_from)?;
        clear(&**file, standing.end, *end_of_bytes)?;
        file.sync_data()?;
        Ok(Self::of(last))
    }

    fn of(last: Last) -> Self {
        let Last { header, file, standing, builder, .. } = last;
        Self {
            place: Place::new(header.ledger, header.number),
            is_marked: standing.is_clean(),
            end: standing.end,
            next_position: standing.next_position,
            digest: standing.digest,
            recorded_at: standing.recorded_at,
            header,
            file,
            builder,
            spare: Run::default(),
        }
    }

    /// The segment for the index.
    pub fn segment(&self) -> Segment {
        Segment {
            number: self.header.number,
            first_position: self.header.first_position,
            place: self.place,
            file: self.file.clone(),
            frames: Vec::new(),
            end: self.end,
        }
    }

    /// Whether so many bytes go into the last segment.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.end + bytes as u64 <= self.header.size
    }

    /// Asks for the next segment once this one is half full.
    pub fn prepare_next(&self, preparer: &Preparer) {
        if self.end * 2 > self.header.size {
            preparer.prepare(self.header.number + 1);
        }
    }

    /// Goes on in the next segment, which has room for a frame of this length. The index of the
    /// last one is written once the header of the next is durable.
    pub fn next_segment(
        &mut self,
        storage: &dyn Storage,
        preparer: &Preparer,
        frame: usize,
    ) -> io::Result<()> {
        let number = self.header.number + 1;
        let empty = preparer.take(storage, number, HEADER + frame as u64)?;
        let header = SegmentHeader {
            number,
            ledger: self.header.ledger,
            first_position: self.next_position,
            size: empty.size,
            previous_end: self.end,
            recorded_at: self.recorded_at,
            digest: self.digest,
        };
        if let Err(error) = write_header(&empty, &header) {
            // A header that may be there would end this segment here: it is gone, or all ends.
            let cleared = clear(&*empty.file, 0, HEADER).and_then(|()| empty.file.sync_data());
            if cleared.is_ok() && is_full(&error) {
                preparer.offer(empty);
                return Err(error);
            }
            return Err(io::Error::other(error));
        }
        let summary = Summary {
            segment: self.header.number,
            ledger: self.header.ledger,
            first_position: self.header.first_position,
            events: self.next_position - self.header.first_position,
            end: self.end,
            recorded_at: self.recorded_at,
            digest: self.digest,
        };
        let builder = std::mem::take(&mut self.builder);
        preparer.write_sidecar(self.header.number, builder.finish(&summary));
        self.place = Place::new(header.ledger, number);
        self.file = empty.file;
        self.header = header;
        self.end = HEADER;
        self.is_marked = false;
        Ok(())
    }

    /// Writes frames behind the end, durably. After an error nothing of them counts.
    pub fn write(&self, frames: &[u8]) -> io::Result<()> {
        self.file.write_at(frames, self.end)?;
        self.file.sync_data()
    }

    /// Takes back what a failed write of so many bytes may have left.
    pub fn take_back(&self, bytes: usize) -> io::Result<()> {
        clear(&*self.file, self.end, self.end + bytes as u64)?;
        self.file.sync_data()
    }

    /// Marks a clean close: all that stands before is durable.
    pub fn mark(&mut self) -> io::Result<()> {
        if self.is_marked || self.next_position == 1 || !self.has_room(FRAME_HEADER) {
            return Ok(());
        }
        let mark = mark(self.place, self.end, self.next_position, self.recorded_at, self.digest);
        self.write(&mark)?;
        self.end += mark.len() as u64;
        self.is_marked = true;
        Ok(())
    }

    /// The file, as errors name it.
    pub fn name(&self) -> String {
        segment_name(self.header.number)
    }
}

/// The frame of a clean close.
pub(crate) fn mark(
    place: Place,
    at: u64,
    next_position: u64,
    recorded_at: i64,
    previous: Digest,
) -> Vec<u8> {
    let mut frame = vec![0; FRAME_HEADER];
    let header = FrameHeader {
        length: FRAME_HEADER as u32,
        first_position: next_position,
        count: 0,
        run_before: 0,
        recorded_at,
        previous,
    };
    header.seal(&mut frame, place, at);
    frame
}

/// Whether there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn write_header(empty: &Prepared, header: &SegmentHeader) -> io::Result<()> {
    empty.file.write_at(&header.encode(), 0)?;
    empty.file.sync_data()
}

/// Writes zeros.
pub(crate) fn clear(file: &dyn StorageFile, from: u64, to: u64) -> io::Result<()> {
    const ZEROS: &[u8] = &[0; 1 << 16];
    let mut at = from;
    while at < to {
        let length = (to - at).min(ZEROS.len() as u64);
        file.write_at(&ZEROS[..length as usize], at)?;
        at += length;
    }
    Ok(())
}
