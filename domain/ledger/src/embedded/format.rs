//! The bytes of a segment, format version 1. `docs/log-format.md` draws them.

use cx_model::StreamName;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::port::RawNewEvent;

/// The version this program writes.
pub(crate) const VERSION: u32 = 1;
/// The bytes of a segment's header.
pub(crate) const HEADER: u64 = 128;
/// The bytes of a frame's header.
pub(crate) const FRAME_HEADER: usize = 64;
const MAGIC: &[u8; 8] = b"CXLEDGER";

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// The header of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub number: u32,
    pub ledger: Uuid,
    pub first_position: u64,
    pub size: u64,
    /// Where the frames of the segment before end; 0 for the first segment.
    pub previous_end: u64,
    /// The latest `recorded_at` before this segment, in microseconds.
    pub recorded_at: i64,
    /// The digest of the last append before this segment.
    pub digest: Digest,
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; HEADER as usize] {
        let mut bytes = [0; HEADER as usize];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..32].copy_from_slice(self.ledger.as_bytes());
        bytes[32..40].copy_from_slice(&self.first_position.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.size.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.previous_end.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.recorded_at.to_le_bytes());
        bytes[64..96].copy_from_slice(&self.digest);
        let crc = crc32c::crc32c(&bytes[..124]);
        bytes[124..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header in these bytes, or what is wrong with them.
    pub fn decode(bytes: &[u8; HEADER as usize]) -> Result<Self, String> {
        if &bytes[..8] != MAGIC {
            return Err("the segment's header does not begin with CXLEDGER".into());
        }
        if u32_at(bytes, 124) != crc32c::crc32c(&bytes[..124]) {
            return Err("the checksum of the segment's header does not match".into());
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(format!(
                "the format version is {version}; this program reads {VERSION}: use a newer one"
            ));
        }
        Ok(Self {
            number: u32_at(bytes, 12),
            ledger: Uuid::from_slice(&bytes[16..32]).expect("sixteen bytes"),
            first_position: u64_at(bytes, 32),
            size: u64_at(bytes, 40),
            previous_end: u64_at(bytes, 48),
            recorded_at: u64_at(bytes, 56) as i64,
            digest: bytes[64..96].try_into().expect("thirty-two bytes"),
        })
    }
}

/// What binds a frame to its place: a frame that was moved, or comes from another ledger, is no
/// frame here, and no event's data can look like one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    seed: u32,
}

impl Place {
    pub fn new(ledger: Uuid, segment: u32) -> Self {
        let seed = crc32c::crc32c(ledger.as_bytes());
        Self { seed: crc32c::crc32c_append(seed, &segment.to_le_bytes()) }
    }

    fn crc(self, at: u64, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.seed, &at.to_le_bytes()), bytes)
    }
}

/// The header of a frame: one append. A frame of no events marks a clean close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub length: u32,
    pub first_position: u64,
    pub count: u32,
    /// How many events of the same run stand before this frame.
    pub run_before: u32,
    pub recorded_at: i64,
    pub previous: Digest,
}

impl FrameHeader {
    pub fn decode(bytes: &[u8]) -> Self {
        Self {
            length: u32_at(bytes, 4),
            first_position: u64_at(bytes, 8),
            count: u32_at(bytes, 16),
            run_before: u32_at(bytes, 20),
            recorded_at: u64_at(bytes, 24) as i64,
            previous: bytes[32..64].try_into().expect("thirty-two bytes"),
        }
    }

    /// The last position that was durable before the frame's run.
    pub fn durable(&self) -> u64 {
        self.first_position.saturating_sub(1 + u64::from(self.run_before))
    }

    /// Where its run begins, as a position.
    pub fn run_first(&self) -> u64 {
        self.first_position - u64::from(self.run_before)
    }

    /// Fills in the header of the frame whose body is in place.
    pub fn seal(&self, frame: &mut [u8], place: Place, at: u64) {
        frame[4..8].copy_from_slice(&self.length.to_le_bytes());
        frame[8..16].copy_from_slice(&self.first_position.to_le_bytes());
        frame[16..20].copy_from_slice(&self.count.to_le_bytes());
        frame[20..24].copy_from_slice(&self.run_before.to_le_bytes());
        frame[24..32].copy_from_slice(&self.recorded_at.to_le_bytes());
        frame[32..64].copy_from_slice(&self.previous);
        let crc = place.crc(at, &frame[4..]);
        frame[..4].copy_from_slice(&crc.to_le_bytes());
    }
}

/// The frame at the start of these bytes, whole and with the right checksum, or what is wrong.
pub(crate) fn check_frame(bytes: &[u8], place: Place, at: u64) -> Result<FrameHeader, String> {
    if bytes.len() < FRAME_HEADER {
        return Err("a frame's header is cut short".into());
    }
    let header = FrameHeader::decode(bytes);
    let length = header.length as usize;
    if length < FRAME_HEADER || length > bytes.len() {
        return Err("a frame's length cannot be".into());
    }
    if u32_at(bytes, 0) != place.crc(at, &bytes[4..length]) {
        return Err("a frame's checksum does not match".into());
    }
    if header.first_position == 0 || u64::from(header.run_before) >= header.first_position {
        return Err("a frame's position cannot be".into());
    }
    Ok(header)
}

/// The digest that the next frame names.
pub(crate) fn digest(frame: &[u8]) -> Digest {
    Sha256::digest(&frame[4..]).into()
}

/// A number of 7 bits a byte, low bits first.
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn take_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Writes an event of a frame's body. `stream` is left out for the stream of the event before;
/// where it is given, its revision belongs at the place that is returned and is not written.
pub(crate) fn push_event(
    out: &mut Vec<u8>,
    stream: Option<&StreamName>,
    new: &RawNewEvent,
) -> Option<usize> {
    push_varint(out, stream.map_or(0, |name| name.as_str().len() as u64));
    push_varint(out, new.event_type.len() as u64);
    push_varint(out, new.metadata.len() as u64);
    push_varint(out, new.data.len() as u64);
    out.extend_from_slice(new.id.as_bytes());
    let revision_at = stream.map(|name| {
        let at = out.len();
        out.extend_from_slice(name.as_str().as_bytes());
        at
    });
    out.extend_from_slice(new.event_type.as_bytes());
    out.extend_from_slice(&new.metadata);
    out.extend_from_slice(&new.data);
    revision_at
}

/// An event in a frame, as places in the frame's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventAt<'a> {
    /// The name and the revision, where the event is not of the stream before it.
    pub stream: Option<(&'a str, u64)>,
    pub id: Uuid,
    pub event_type: &'a str,
    pub metadata: (usize, usize),
    pub data: (usize, usize),
}

/// The event that begins at `at`, which moves behind it. `None` if the bytes are no event.
pub(crate) fn take_event<'a>(frame: &'a [u8], at: &mut usize) -> Option<EventAt<'a>> {
    let stream_length = take_varint(frame, at)? as usize;
    let type_length = take_varint(frame, at)? as usize;
    let metadata_length = take_varint(frame, at)? as usize;
    let data_length = take_varint(frame, at)? as usize;
    let mut take = |length: usize| {
        let from = *at;
        let to = from.checked_add(length).filter(|&to| to <= frame.len())?;
        *at = to;
        Some((from, to))
    };
    let (from, to) = take(16)?;
    let id = Uuid::from_slice(&frame[from..to]).ok()?;
    let stream = if stream_length > 0 {
        let revision = take_varint(frame, at)?;
        let from = *at;
        *at = from.checked_add(stream_length).filter(|&to| to <= frame.len())?;
        Some((std::str::from_utf8(&frame[from..*at]).ok()?, revision))
    } else {
        None
    };
    let mut take = |length: usize| {
        let from = *at;
        let to = from.checked_add(length).filter(|&to| to <= frame.len())?;
        *at = to;
        Some((from, to))
    };
    let (from, to) = take(type_length)?;
    let event_type = std::str::from_utf8(&frame[from..to]).ok()?;
    let metadata = take(metadata_length)?;
    let data = take(data_length)?;
    Some(EventAt { stream, id, event_type, metadata, data })
}

/// Microseconds as a time. The log only ever writes such.
pub(crate) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
}

/// The name of a segment's file.
pub(crate) fn segment_name(number: u32) -> String {
    format!("{number:08}.log")
}

/// The name of a sealed segment's index.
pub(crate) fn sidecar_name(number: u32) -> String {
    format!("{number:08}.index")
}

/// The number in the name of a segment's file.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    let number = name.strip_suffix(".log")?;
    (number.len() == 8).then(|| number.parse().ok()).flatten()
}
