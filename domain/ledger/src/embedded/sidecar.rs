//! The index of a sealed segment: what opening needs of it, so that the segment is not read.

use std::collections::HashMap;

use uuid::Uuid;

use super::format::{Digest, HEADER, VERSION, push_varint, take_varint, u32_at, u64_at};
use super::ids::{IdTable, Shard, defer, settle};
use super::index::FrameAt;
use super::keyed::Keyed;
use super::streams::{Part, StreamNumber, Streams, category_of, id_of, part_of};

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
    pub fn event(&mut self, stream: StreamNumber, name: &str, id: Option<Uuid>, hash: u64) {
        let next = self.streams.len() as u64;
        if let Some(&known) = self.streams.get(&stream) {
            push_varint(&mut self.body, known + 1);
        } else {
            self.streams.insert(stream, next);
            self.body.push(0);
            self.name(name, id);
        }
        self.body.extend_from_slice(&hash.to_le_bytes());
    }

    /// A name: 0 and the whole of it, or the number of a category and an id.
    fn name(&mut self, name: &str, id: Option<Uuid>) {
        let next = self.categories.len();
        let short = id.map(|id| (category_of(name), id)).filter(|(category, _)| {
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

/// Some parts of the index, which a thread of its own fills.
pub(crate) struct Share<'a> {
    streams: &'a mut [Part],
    first_stream: usize,
    ids: &'a mut [Shard],
    first_id: usize,
}

/// In whose share a stream is.
#[derive(Clone, Copy)]
enum Owner {
    /// In this one: the part and the place in it.
    This { part: u32, place: u32 },
    /// In another thread's.
    Another,
}

/// The index, divided among so many threads; the number must divide that of the parts.
pub(crate) fn shares<'a>(
    streams: &'a mut Streams,
    ids: &'a mut IdTable,
    threads: usize,
) -> impl Iterator<Item = Share<'a>> {
    let (parts, shards) = (streams.parts(), ids.shards());
    let (of_streams, of_ids) = (parts.len() / threads, shards.len() / threads);
    let pairs = parts.chunks_mut(of_streams).zip(shards.chunks_mut(of_ids));
    pairs.enumerate().map(move |(n, (streams, ids))| Share {
        streams,
        first_stream: n * of_streams,
        ids,
        first_id: n * of_ids,
    })
}

impl Share<'_> {
    /// Puts the ids that were loaded in place.
    pub fn settle(&mut self) {
        settle(self.ids);
    }

    /// Takes this share's events of a whole sidecar, and gives the places of all its frames.
    /// `None` if the body is not what the summary says.
    pub fn load(&mut self, bytes: &[u8], summary: &Summary) -> Option<Vec<FrameAt>> {
        let body = &bytes[FIXED..bytes.len() - 4];
        let (mut at, mut frame_at, mut events) = (0, HEADER, 0);
        let mut frames = Vec::new();
        let mut streams: Vec<Owner> = Vec::new();
        let mut categories = Vec::new();
        while at < body.len() {
            let length = take_varint(body, &mut at)?;
            let count = take_varint(body, &mut at)?;
            if count > 0 {
                frames.push(FrameAt { first: events as u32, at: frame_at as u32 });
            }
            for _ in 0..count {
                let known = take_varint(body, &mut at)? as usize;
                if known == 0 {
                    let stream = self.take_stream(body, &mut at, &mut categories)?;
                    streams.push(stream);
                }
                let stream =
                    *streams.get(known.checked_sub(1).or_else(|| streams.len().checked_sub(1))?)?;
                let hash = u64_at(body.get(at..at + 8)?, 0);
                at += 8;
                let position = summary.first_position + events;
                if let Owner::This { part, place } = stream {
                    self.streams[part as usize].push(place as usize, position);
                }
                defer(self.ids, self.first_id, hash, position);
                events += 1;
            }
            frame_at += length;
        }
        frames.shrink_to_fit();
        (frame_at == summary.end && events == summary.events).then_some(frames)
    }

    /// The stream whose name follows.
    fn take_stream<'b>(
        &mut self,
        body: &'b [u8],
        at: &mut usize,
        categories: &mut Vec<&'b str>,
    ) -> Option<Owner> {
        let mut take = |length: usize| {
            let bytes = body.get(*at..at.checked_add(length)?)?;
            *at += length;
            Some(bytes)
        };
        let kind = usize::from(take(1)?[0]);
        if kind == 0 {
            let length = take_varint(body, at)? as usize;
            let bytes = body.get(*at..at.checked_add(length)?)?;
            *at += length;
            let name = std::str::from_utf8(bytes).ok()?;
            let id = id_of(name);
            return Some(self.own(part_of(name, id), |part| part.intern(name, id)));
        }
        if kind > categories.len() {
            let length = usize::from(take(1)?[0]);
            categories.push(std::str::from_utf8(take(length)?).ok()?);
        }
        let id = Uuid::from_slice(take(16)?).ok()?;
        let category = categories.get(kind - 1)?;
        Some(self.own(part_of("", Some(id)), |part| part.intern_short(category, id)))
    }

    /// Interns a stream of a part, if the part is of this share.
    fn own(&mut self, part: usize, intern: impl FnOnce(&mut Part) -> usize) -> Owner {
        let within = part.checked_sub(self.first_stream).filter(|&n| n < self.streams.len());
        within.map_or(Owner::Another, |n| Owner::This {
            part: n as u32,
            place: intern(&mut self.streams[n]) as u32,
        })
    }
}
