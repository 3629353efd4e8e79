//! What was counted, kept on disk, so that a process that starts counts on and not anew.
//!
//! ```text
//! "CXMARKS1" key:16                      the file begins so
//! length:u32 crc:u32 body                then blocks, one every 4,096 events
//! body: commit:u64 prepare:u64 id:16     the block's last event
//!       marks:u32 { commit:u64 prepare:u64 ordinal:u64 latest:i64 }
//!       streams:u32 { hash:u64 revision:u64 }
//! ```
//!
//! Numbers are little endian; times are microseconds. It is a cache: whatever is not whole is cut
//! off and counted again, and the event that the last block names has to be where it says. A
//! stream's name stands in it as a keyed hash.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut};
use cx_model::{Position, StreamName};
use hkdf::Hkdf;
use jiff::Timestamp;
use sha2::Sha256;
use uuid::Uuid;

use super::census::Mark;

const MAGIC: &[u8; 8] = b"CXMARKS1";
const HEADER: usize = 24;
/// Events of a block.
pub(super) const BLOCK: u64 = 4096;
/// No block is larger: 16 marks and as many streams as events.
const LARGEST: u32 = 40 + 16 * 32 + 8 + BLOCK as u32 * 16;

/// Where the marks of a process are kept, and whether it may write there.
#[derive(Debug, Clone)]
pub struct Marks {
    /// The file.
    pub path: PathBuf,
    /// One process writes at a time; others read what it wrote.
    pub write: bool,
}

/// What a block of events comes to.
pub(super) struct Block {
    pub position: Position,
    pub id: Uuid,
    pub marks: Vec<Mark>,
    /// Hashes of streams, and their last revisions.
    pub revisions: Vec<(u64, u64)>,
}

/// The open file, and the key of its hashes.
pub(super) struct MarksFile {
    path: PathBuf,
    file: Option<File>,
    key: [u8; 16],
}

impl Default for MarksFile {
    fn default() -> Self {
        Self { path: PathBuf::new(), file: None, key: *Uuid::new_v4().as_bytes() }
    }
}

impl MarksFile {
    /// Opens the file, or makes one, and reads its whole blocks.
    pub fn open(marks: &Marks) -> std::io::Result<(Self, Vec<Block>)> {
        let path = marks.path.clone();
        let mut options = OpenOptions::new();
        options.read(true);
        if marks.write {
            options.write(true).create(true).truncate(false);
        }
        let mut file = match options.open(&path) {
            Err(error) if !marks.write && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Self::default(), Vec::new()));
            }
            file => file?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let known = bytes.len() >= HEADER && bytes.starts_with(MAGIC);
        let mut this = Self { path, ..Self::default() };
        let (mut blocks, mut whole) = (Vec::new(), HEADER);
        if known {
            this.key.copy_from_slice(&bytes[8..HEADER]);
            (blocks, whole) = decode(&bytes[HEADER..]);
            whole += HEADER;
        }
        if marks.write {
            if !known {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&[MAGIC.as_slice(), &this.key].concat())?;
            }
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
            this.file = Some(file);
        }
        Ok((this, blocks))
    }

    /// Forgets everything: it is about another ledger.
    pub fn forget(&mut self) {
        if let Some(mut file) = self.file.take() {
            let emptied = file.set_len(HEADER as u64).and_then(|()| file.seek(SeekFrom::End(0)));
            match emptied {
                Ok(_) => self.file = Some(file),
                Err(error) => gave_up(&self.path, &error),
            }
        }
    }

    /// Forgets everything, and takes no more blocks.
    pub fn give_up(&mut self) {
        self.forget();
        self.file = None;
    }

    /// The hash of a stream's name.
    pub fn hash(&self, stream: &StreamName) -> u64 {
        let (hash, _) = Hkdf::<Sha256>::extract(Some(&self.key), stream.as_str().as_bytes());
        (&hash[..8]).get_u64_le()
    }

    /// Adds a block. What cannot be written is counted again by the next process.
    pub fn add(&mut self, block: &Block) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(&encode(block)) {
            gave_up(&self.path, &error);
            self.file = None;
        }
    }

    /// Whether blocks are wanted.
    pub fn is_kept(&self) -> bool {
        self.file.is_some()
    }
}

fn gave_up(path: &Path, error: &std::io::Error) {
    tracing::warn!(
        path = %path.display(), %error,
        "what was counted cannot be kept; the next start counts from the last time on"
    );
}

fn encode(block: &Block) -> Vec<u8> {
    let mut body = Vec::with_capacity(LARGEST as usize);
    body.put_u64_le(block.position.commit());
    body.put_u64_le(block.position.prepare());
    body.put_slice(block.id.as_bytes());
    body.put_u32_le(block.marks.len() as u32);
    for mark in &block.marks {
        body.put_u64_le(mark.position.commit());
        body.put_u64_le(mark.position.prepare());
        body.put_u64_le(mark.ordinal);
        body.put_i64_le(mark.latest.as_microsecond());
    }
    body.put_u32_le(block.revisions.len() as u32);
    for (hash, revision) in &block.revisions {
        body.put_u64_le(*hash);
        body.put_u64_le(*revision);
    }
    let mut bytes = Vec::with_capacity(8 + body.len());
    bytes.put_u32_le(body.len() as u32);
    bytes.put_u32_le(crc32c::crc32c(&body));
    bytes.put_slice(&body);
    bytes
}

/// The whole blocks at the beginning of these bytes, and how many bytes they are.
fn decode(bytes: &[u8]) -> (Vec<Block>, usize) {
    let (mut blocks, mut rest) = (Vec::new(), bytes);
    let mut last = 0;
    while let Some(block) = block(&mut rest) {
        // Blocks follow on one another.
        let Some(end) = block.marks.last().map(|mark| mark.ordinal) else { break };
        if end != last + BLOCK {
            break;
        }
        last = end;
        blocks.push((block, bytes.len() - rest.len()));
    }
    let whole = blocks.last().map_or(0, |(_, end)| *end);
    (blocks.into_iter().map(|(block, _)| block).collect(), whole)
}

fn block(rest: &mut &[u8]) -> Option<Block> {
    let mut head = *rest;
    let (length, crc) = (head.try_get_u32_le().ok()?, head.try_get_u32_le().ok()?);
    if length > LARGEST {
        return None;
    }
    let (body, after) = head.split_at_checked(length as usize)?;
    if crc32c::crc32c(body) != crc {
        return None;
    }
    let mut body = body;
    let position = Position::from_parts(body.try_get_u64_le().ok()?, body.try_get_u64_le().ok()?);
    let id = Uuid::from_u128(body.try_get_u128().ok()?);
    let mut marks = Vec::new();
    for _ in 0..body.try_get_u32_le().ok()? {
        let position =
            Position::from_parts(body.try_get_u64_le().ok()?, body.try_get_u64_le().ok()?);
        let ordinal = body.try_get_u64_le().ok()?;
        let latest = Timestamp::from_microsecond(body.try_get_i64_le().ok()?).ok()?;
        marks.push(Mark { position, ordinal, latest });
    }
    let mut revisions = Vec::new();
    for _ in 0..body.try_get_u32_le().ok()? {
        revisions.push((body.try_get_u64_le().ok()?, body.try_get_u64_le().ok()?));
    }
    *rest = after;
    Some(Block { position, id, marks, revisions })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of(number: u64) -> Block {
        let mark = |ordinal: u64| Mark {
            position: Position::from_parts(ordinal * 10, ordinal * 10 - 1),
            ordinal,
            latest: Timestamp::from_microsecond(ordinal as i64).unwrap(),
        };
        let marks: Vec<_> = (1..=16).map(|n| mark((number - 1) * BLOCK + n * 256)).collect();
        let position = marks.last().unwrap().position;
        let revisions = (0..number).map(|n| (n, n * 7)).collect();
        Block { position, id: Uuid::from_u128(number.into()), marks, revisions }
    }

    #[test]
    fn whole_blocks_come_back_and_what_is_torn_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("marks");
        let marks = Marks { path: path.clone(), write: true };
        let (mut file, blocks) = MarksFile::open(&marks).unwrap();
        assert!(blocks.is_empty() && file.is_kept());
        let stream = StreamName::new("case-1").unwrap();
        let hash = file.hash(&stream);
        (1..=3).for_each(|number| file.add(&block_of(number)));
        drop(file);
        let whole = std::fs::read(&path).unwrap();
        let second = HEADER + encode(&block_of(1)).len() + encode(&block_of(2)).len();
        for (cut, count) in [(whole.len(), 3), (whole.len() - 1, 2), (second + 3, 2), (HEADER, 0)] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let reading = Marks { path: path.clone(), write: false };
            assert_eq!(MarksFile::open(&reading).unwrap().1.len(), count);
            let (mut file, blocks) = MarksFile::open(&marks).unwrap();
            assert_eq!((blocks.len(), file.hash(&stream)), (count, hash));
            for (number, block) in (1..).zip(&blocks) {
                let expected = block_of(number);
                assert_eq!((block.position, block.id), (expected.position, expected.id));
                assert_eq!(block.revisions, expected.revisions);
            }
            // It goes on where it was cut.
            file.add(&block_of(count as u64 + 1));
            drop(file);
            assert_eq!(MarksFile::open(&marks).unwrap().1.len(), count + 1);
        }
        let mut changed = whole.clone();
        changed[second - 1] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert_eq!(MarksFile::open(&marks).unwrap().1.len(), 1);
        std::fs::write(&path, b"something else").unwrap();
        assert!(MarksFile::open(&marks).unwrap().1.is_empty());
    }
}
