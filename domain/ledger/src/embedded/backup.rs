//! A copy of a log, proven by opening it.

use std::path::{Path, PathBuf};

use super::format::{segment_name, sidecar_name};
use super::verify::Verified;
use super::writer::mark;
use super::{EmbeddedLog, Options};
use crate::error::{OpenError, ReadError};
use crate::storage::{Disk, Storage};

/// A copy was not made, or is not what it was made from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A log could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy could not be written.
    #[error("{path} could not be written: {source}")]
    Write {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The copy is another than its source.
    #[error("the copy in {path} is not what it was made from; make it again")]
    Differs {
        /// The directory.
        path: PathBuf,
    },
}

impl EmbeddedLog {
    /// Copies everything that is durable now into a new or empty directory, and reads every byte of
    /// the copy. Appends may go on meanwhile.
    pub fn backup_to(&self, directory: &Path) -> Result<Verified, BackupError> {
        let failed = |source| BackupError::Write { path: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(failed)?;
        if std::fs::read_dir(directory).map_err(failed)?.next().is_some() {
            return Err(OpenError::NotEmpty { path: directory.to_owned() }.into());
        }
        let target = Disk::new(directory);
        let (parts, tail) = self.durable_parts();
        for (n, part) in parts.iter().enumerate() {
            let end_mark = if n + 1 == parts.len() { tail.as_deref() } else { None };
            self.copy_segment(&target, part, end_mark).map_err(failed)?;
        }
        target.sync_directory().map_err(failed)?;
        let (copy, _) = EmbeddedLog::open_read_only(directory)?;
        Ok(copy.verify()?)
    }

    /// The segments up to where they are durable, and the mark that closes the copy.
    fn durable_parts(&self) -> (Vec<Part>, Option<Vec<u8>>) {
        let index = self.shared().index();
        let parts: Vec<_> = index
            .segments
            .iter()
            .map(|s| Part { number: s.number, file: s.file.clone(), end: s.end })
            .collect();
        let head = self.shared().head();
        let tail = index
            .segments
            .last()
            .filter(|_| head > 0)
            .map(|last| mark(last.place, last.end, head + 1, index.recorded_at, index.digest));
        (parts, tail)
    }

    fn copy_segment(
        &self,
        target: &Disk,
        part: &Part,
        end_mark: Option<&[u8]>,
    ) -> std::io::Result<()> {
        let size = part.file.size()?;
        let to = target.create(&segment_name(part.number))?;
        let mut at = 0;
        let mut buffer = vec![0; 1 << 20];
        while at < part.end {
            let length = (part.end - at).min(buffer.len() as u64);
            let bytes = &mut buffer[..length as usize];
            part.file.read_at(bytes, at)?;
            to.write_at(bytes, at)?;
            at += length;
        }
        if let Some(mark) = end_mark.filter(|mark| part.end + mark.len() as u64 <= size) {
            to.write_at(mark, part.end)?;
        }
        to.set_size(size)?;
        to.sync_data()?;
        let name = sidecar_name(part.number);
        if end_mark.is_none()
            && let Ok(sidecar) = self.shared().storage.open(&name, false)
        {
            let mut bytes = vec![0; sidecar.size()? as usize];
            sidecar.read_at(&mut bytes, 0)?;
            let to = target.create(&name)?;
            to.write_at(&bytes, 0)?;
            to.sync_data()?;
        }
        Ok(())
    }
}

struct Part {
    number: u32,
    file: std::sync::Arc<dyn crate::storage::StorageFile>,
    end: u64,
}

/// Puts a backup into a new or empty directory and proves it: every byte is read, and the log is
/// opened to be written.
pub fn restore(backup: &Path, directory: &Path) -> Result<Verified, BackupError> {
    let (source, _) = EmbeddedLog::open_read_only(backup)?;
    let expected = source.verify()?;
    let copied = source.backup_to(directory)?;
    let (log, _) = EmbeddedLog::open(directory, Options::default())?;
    let opened = log.verify()?;
    let same = |other: &Verified| (other.head, other.digest) == (expected.head, expected.digest);
    if same(&copied) && same(&opened) {
        Ok(expected)
    } else {
        Err(BackupError::Differs { path: directory.to_owned() })
    }
}
