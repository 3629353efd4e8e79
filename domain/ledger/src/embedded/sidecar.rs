//! The index of a sealed segment: what opening needs of it, so that the segment is not read.

use std::collections::HashMap;

use uuid::Uuid;

use super::format::{Digest, HEADER, VERSION, push_varint, take_varint, u32_at, u64_at};
use super::index::{FrameAt, Index, Segment};
use super::keyed::Keyed;
use super::streams::{StreamNumber, Streams, split};

const MAGIC: &[u8; 8] = b"CXINDEX1";
const FIXED: usize = 104;

/// What a sidecar says of its segment as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub segment: u32,
    pub ledger: Uuid,
    pub first_position: u64,
    pub events: u64,
    pub end: u64,
    pub recorded_at: i64,
    pub digest: Digest,
}

/// Collects a sidecar's body while its segment is written or scanned.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    body: Vec<u8>,
    streams: HashMap<StreamNumber, u64, Keyed>,
    categories: HashMap<Box<str>, u8>,
}

impl Builder {
    /// The next frame, whose events follow.
    pub fn frame(&mut self, length: u32, count: u32) {
        push_varint(&mut self.body, u64::from(length));
        push_varint(&mut self.body, u64::from(count));
    }

    /// The next event of the frame.
    pub fn event(&mut self, stream: StreamNumber, name: &str, hash: u64) {
        let next = self.streams.len() as u64;
        if let Some(&known) = self.streams.get(&stream) {
            push_varint(&mut self.body, known + 1);
        } else {
            self.streams.insert(stream, next);
            self.body.push(0);
            self.name(name);
        }
        self.body.extend_from_slice(&hash.to_le_bytes());
    }

    /// A name: 0 and the whole of it, or the number of a category and an id.
    fn name(&mut self, name: &str) {
        let next = self.categories.len();
        let short = split(name).filter(|(category, _)| {
            category.len() < 256 && (next < 254 || self.categories.contains_key(*category))
        });
        let Some((category, id)) = short else {
            self.body.push(0);
            push_varint(&mut self.body, name.len() as u64);
            self.body.extend_from_slice(name.as_bytes());
            return;
        };
        if let Some(&known) = self.categories.get(category) {
            self.body.push(known + 1);
        } else {
            self.categories.insert(category.into(), next as u8);
            self.body.push(next as u8 + 1);
            self.body.push(category.len() as u8);
            self.body.extend_from_slice(category.as_bytes());
        }
        self.body.extend_from_slice(id.as_bytes());
    }

    /// The file's bytes.
    pub fn finish(self, summary: &Summary) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + self.body.len() + 4);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&summary.segment.to_le_bytes());
        bytes.extend_from_slice(summary.ledger.as_bytes());
        bytes.extend_from_slice(&summary.first_position.to_le_bytes());
        bytes.extend_from_slice(&summary.events.to_le_bytes());
        bytes.extend_from_slice(&summary.end.to_le_bytes());
        bytes.extend_from_slice(&summary.recorded_at.to_le_bytes());
        bytes.extend_from_slice(&summary.digest);
        bytes.extend_from_slice(&(self.body.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&self.body);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// What the file says of its segment, if it is whole.
pub(crate) fn read_summary(bytes: &[u8]) -> Option<Summary> {
    let body = bytes.len().checked_sub(4).filter(|&length| length >= FIXED)?;
    let whole = &bytes[..8] == MAGIC
        && u32_at(bytes, 8) == VERSION
        && u64_at(bytes, 96) == (body - FIXED) as u64
        && crc32c::crc32c(&bytes[..body]) == u32_at(bytes, body);
    whole.then(|| Summary {
        segment: u32_at(bytes, 12),
        ledger: Uuid::from_slice(&bytes[16..32]).expect("sixteen bytes"),
        first_position: u64_at(bytes, 32),
        events: u64_at(bytes, 40),
        end: u64_at(bytes, 48),
        recorded_at: u64_at(bytes, 56) as i64,
        digest: bytes[64..96].try_into().expect("thirty-two bytes"),
    })
}

/// Takes the events of a whole sidecar into the index and the frames into the segment.
/// `None` if the body is not what the summary says. The ids are deferred.
pub(crate) fn load(bytes: &[u8], index: &mut Index, segment: &mut Segment) -> Option<()> {
    let body = &bytes[FIXED..bytes.len() - 4];
    let (mut at, mut frame_at, mut position) = (0, HEADER, segment.first_position);
    let mut streams: Vec<StreamNumber> = Vec::new();
    let mut categories = Vec::new();
    while at < body.len() {
        let length = take_varint(body, &mut at)?;
        let count = take_varint(body, &mut at)?;
        if count > 0 {
            let first = (position - segment.first_position) as u32;
            segment.frames.push(FrameAt { first, at: frame_at as u32 });
        }
        for _ in 0..count {
            let stream = match take_varint(body, &mut at)? {
                0 => {
                    let stream = take_stream(body, &mut at, &mut categories, &mut index.streams)?;
                    streams.push(stream);
                    stream
                }
                known => *streams.get(known as usize - 1)?,
            };
            let hash = body.get(at..at + 8)?;
            at += 8;
            index.streams.push(stream, position);
            index.ids.defer(u64_at(hash, 0), position);
            position += 1;
        }
        frame_at += length;
    }
    segment.frames.shrink_to_fit();
    (frame_at == segment.end).then_some(())
}

/// A stream by its name. Categories come with their number in memory, where they have one.
fn take_stream(
    body: &[u8],
    at: &mut usize,
    categories: &mut Vec<(String, Option<u16>)>,
    streams: &mut Streams,
) -> Option<StreamNumber> {
    let kind = usize::from(*body.get(*at)?);
    *at += 1;
    let mut take = |length: usize| {
        let bytes = body.get(*at..at.checked_add(length)?)?;
        *at += length;
        Some(bytes)
    };
    if kind == 0 {
        let length = take_varint(body, at)? as usize;
        let bytes = body.get(*at..at.checked_add(length)?)?;
        *at += length;
        return Some(streams.intern(std::str::from_utf8(bytes).ok()?));
    }
    if kind > categories.len() {
        let length = usize::from(take(1)?[0]);
        let category = String::from_utf8(take(length)?.to_vec()).ok()?;
        let number = streams.category(&category);
        categories.push((category, number));
    }
    let id = Uuid::from_slice(take(16)?).ok()?;
    Some(match categories.get(kind - 1)? {
        (_, Some(number)) => streams.intern_short(*number, id),
        (category, None) => streams.intern(&format!("{category}-{id}")),
    })
}
