//! A file as a stream of bytes: unpacked, without its byte-order mark, counted.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use encoding_rs::{Decoder, Encoding, UTF_8};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

/// The longest row, in bytes: an unclosed quotation mark must not read the file into memory.
pub const ROW_LIMIT: usize = 16 << 20;

const BUFFER: usize = 1 << 16;

/// An opened file.
pub struct Source {
    /// The bytes, in `encoding`.
    pub bytes: Box<dyn BufRead>,
    /// The encoding of each row's bytes: always one that leaves ASCII as it is.
    pub encoding: &'static Encoding,
}

impl Source {
    /// The same in UTF-8, for readers that take nothing else. What is not valid becomes U+FFFD.
    pub fn into_utf8(self) -> Box<dyn BufRead> {
        let decoder = self.encoding.new_decoder_without_bom_handling();
        Box::new(BufReader::with_capacity(BUFFER, Transcoded::new(self.bytes, decoder)))
    }
}

/// The SHA-256 of a file as it lies on the disk, hex, and its size in bytes.
pub fn digest(path: &Path) -> anyhow::Result<(String, u64)> {
    let mut file = File::open(path).with_context(|| cannot_read(path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer).with_context(|| cannot_read(path))?;
        if count == 0 {
            return Ok((hex(&hash.finalize()), size));
        }
        hash.update(&buffer[..count]);
        size += count as u64;
    }
}

/// Bytes as hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

fn cannot_read(path: &Path) -> String {
    format!("{} cannot be read", path.display())
}

/// Opens a file. `named` is the mapping's encoding; a byte-order mark wins over it. `done` counts
/// the bytes taken from the disk.
pub fn open(path: &Path, named: &'static Encoding, done: Arc<AtomicU64>) -> anyhow::Result<Source> {
    let file = File::open(path).with_context(|| cannot_read(path))?;
    let mut packed = BufReader::with_capacity(BUFFER, Counted { inner: file, done });
    let start = packed.fill_buf().with_context(|| cannot_read(path))?;
    let plain: Box<dyn Read> = match start {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(packed)),
        [b'P', b'K', 3, 4, ..] => bail!("{} is a zip archive: unpack it first", path.display()),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            bail!("{} is packed in a way other than gzip: unpack it first", path.display())
        }
        _ => Box::new(packed),
    };
    without_mark(plain, named).with_context(|| cannot_read(path))
}

fn without_mark(mut plain: Box<dyn Read>, named: &'static Encoding) -> io::Result<Source> {
    let mut start = Vec::with_capacity(3);
    plain.by_ref().take(3).read_to_end(&mut start)?;
    let encoding = match Encoding::for_bom(&start) {
        Some((marked, length)) => {
            start.drain(..length);
            marked
        }
        None => named,
    };
    let bytes: Chain<Cursor<Vec<u8>>, Box<dyn Read>> = Cursor::new(start).chain(plain);
    Ok(if encoding.is_ascii_compatible() {
        Source { bytes: Box::new(BufReader::with_capacity(BUFFER, bytes)), encoding }
    } else {
        let decoded = Transcoded::new(bytes, encoding.new_decoder_without_bom_handling());
        Source { bytes: Box::new(BufReader::with_capacity(BUFFER, decoded)), encoding: UTF_8 }
    })
}

struct Counted<R> {
    inner: R,
    done: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Turns an encoding in which a comma is not one byte (UTF-16) into UTF-8. Bytes that mean nothing
/// become U+FFFD, at which the row is refused later.
struct Transcoded<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Transcoded<R> {
    fn new(inner: R, decoder: Decoder) -> Self {
        Self { inner, decoder, raw: vec![0; BUFFER], text: Vec::new(), given: 0, ended: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let count = self.inner.read(&mut self.raw)?;
        self.ended = count == 0;
        let room = self.decoder.max_utf8_buffer_length(count).unwrap_or(count * 3 + 16);
        self.text.resize(room, 0);
        let (_, _, written, _) =
            self.decoder.decode_to_utf8(&self.raw[..count], &mut self.text, self.ended);
        self.text.truncate(written);
        self.given = 0;
        Ok(())
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.fill()?;
        }
        let count = buffer.len().min(self.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// Counts the lines that were consumed.
pub struct Lines<R> {
    inner: R,
    /// How many line ends were consumed.
    pub ended: u64,
}

impl<R: BufRead> Lines<R> {
    /// Starts at line 1.
    pub fn new(inner: R) -> Self {
        Self { inner, ended: 0 }
    }

    /// The next line into `line`, without its end. `false` at the end of the file.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> anyhow::Result<bool> {
        line.clear();
        let count = self.inner.by_ref().take(ROW_LIMIT as u64).read_until(b'\n', line)?;
        if count == ROW_LIMIT {
            bail!("line {} is longer than {} MiB", self.ended + 1, ROW_LIMIT >> 20);
        }
        self.ended += 1;
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            line.pop();
        }
        Ok(count > 0)
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Lines<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // The buffer is still what the last `fill_buf` gave.
        if let Ok(buffer) = self.inner.fill_buf() {
            let seen = &buffer[..count.min(buffer.len())];
            self.ended += seen.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        }
        self.inner.consume(count);
    }
}

/// The text of some bytes, and whether they were valid. What is not valid is read as Windows-1252,
/// in which every byte is a character, so that nothing of it is lost.
pub fn text<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> (std::borrow::Cow<'a, str>, bool) {
    match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) if !text.contains('\u{fffd}') => (text, true),
        Some(text) => (text, false),
        None => (encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0, false),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8], named: &'static Encoding) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut source = open(file.path(), named, Arc::default()).unwrap();
        let mut read = Vec::new();
        source.bytes.read_to_end(&mut read).unwrap();
        text(&read, source.encoding).0.into_owned()
    }

    #[test]
    fn gzip_and_byte_order_marks_are_seen_in_the_bytes() {
        assert_eq!(read("käse".as_bytes(), UTF_8), "käse");
        assert_eq!(read("\u{feff}käse".as_bytes(), encoding_rs::WINDOWS_1252), "käse");
        assert_eq!(read(b"\xff\xfek\0\xe4\0s\0e\0", UTF_8), "käse");
        assert_eq!(read(b"k\xe4se", encoding_rs::WINDOWS_1252), "käse");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all("\u{feff}käse".as_bytes()).unwrap();
        assert_eq!(read(&packed.finish().unwrap(), UTF_8), "käse");
        assert_eq!(read(b"", UTF_8), "");
    }

    #[test]
    fn an_archive_is_refused_with_what_to_do() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"PK\x03\x04....").unwrap();
        let error = open(file.path(), UTF_8, Arc::default()).err().unwrap();
        assert!(error.to_string().contains("unpack it first"), "{error}");
    }
}
