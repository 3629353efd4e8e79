//! What is left of a damaged log: the whole appends before the damage, by order of a person.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cx_model::Position;

use super::format::{HEADER, Place, SegmentHeader, segment_name, segment_number, sidecar_name};
use super::scan::{Standing, Window, walk};
use super::{EmbeddedLog, Options};
use crate::error::{OpenError, ReadError};
use crate::storage::{Disk, Storage};

/// What a repair does, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The damaged file.
    pub path: PathBuf,
    /// Where the damage begins.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
    /// The last position before the damage.
    pub kept: Position,
    /// Files that are put aside under a name that ends in `.damaged`; none is removed.
    pub aside: Vec<String>,
}

/// Finds the first damage of the log in a directory, or `None`. With `apply`, cuts the log back to
/// the whole appends before it and puts everything else aside; nothing is removed for good. What
/// stood after the damage is lost to the ledger: a backup is better where there is one.
pub fn repair(directory: &Path, apply: bool) -> Result<Option<Cut>, OpenError> {
    let storage = Disk::new(directory);
    if !directory.exists() {
        return Err(OpenError::Missing { path: directory.to_owned() });
    }
    let found = match EmbeddedLog::open(directory, Options::default()) {
        Err(OpenError::Damaged { path, offset, reason }) => (path, offset, reason),
        Err(error) => return Err(error),
        Ok((log, _)) => match log.verify() {
            Ok(_) => return Ok(None),
            Err(ReadError::Damaged { path, offset, reason }) => (path, offset, reason),
            Err(error) => {
                let source = std::io::Error::other(error.to_string());
                return Err(OpenError::Io { path: directory.to_owned(), source });
            }
        },
    };
    let failed = |source| OpenError::Io { path: directory.to_owned(), source };
    let lock = storage.lock(true).map_err(failed)?;
    let _lock = lock.ok_or_else(|| OpenError::Locked { path: directory.to_owned() })?;
    cut(&storage, found, apply).map(Some).map_err(failed)
}

fn cut(
    storage: &dyn Storage,
    (path, offset, reason): (PathBuf, u64, String),
    apply: bool,
) -> std::io::Result<Cut> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let mut names = storage.list()?;
    names.sort();
    let Some(number) = segment_number(&name) else {
        // An index is made again when the log is opened.
        let mut cut = Cut { path, offset, reason, kept: Position::START, aside: vec![name] };
        if apply {
            put_aside(storage, &mut cut)?;
        }
        return Ok(cut);
    };
    let prefix = whole_prefix(storage, number)?;
    let after = |of: u32| of >= number;
    let mut aside: Vec<_> =
        names.iter().filter(|name| segment_number(name).is_some_and(after)).cloned().collect();
    // The index of a segment says that the next one exists.
    let first_index = if prefix.is_some() { number } else { number.saturating_sub(1) };
    aside.extend(
        (first_index..first_index + names.len() as u32 + 2)
            .map(sidecar_name)
            .filter(|name| names.contains(name)),
    );
    let kept = match &prefix {
        Some((_, standing)) => standing.next_position - 1,
        None => last_position_before(storage, number)?,
    };
    let mut cut = Cut { path, offset, reason, kept: Position::new(kept), aside };
    if apply {
        put_aside(storage, &mut cut)?;
        if let Some((bytes, standing)) = prefix {
            let size =
                SegmentHeader::decode(bytes[..HEADER as usize].try_into().expect("a header"))
                    .map_or(bytes.len() as u64, |header| header.size);
            let unfinished = format!("{number:08}.new");
            let file = storage.create(&unfinished)?;
            file.write_at(&bytes[..standing.end as usize], 0)?;
            super::writer::clear(&*file, standing.end, size)?;
            file.sync_data()?;
            storage.rename(&unfinished, &segment_name(number))?;
        }
        storage.sync_directory()?;
    }
    Ok(cut)
}

fn put_aside(storage: &dyn Storage, cut: &mut Cut) -> std::io::Result<()> {
    for name in &mut cut.aside {
        let mut to = format!("{name}.damaged");
        while storage.open(&to, false).is_ok() {
            to.push_str("-again");
        }
        storage.rename(name, &to)?;
        *name = to;
    }
    Ok(())
}

/// The bytes of a segment and where its whole frames end; `None` if its header is not whole.
fn whole_prefix(
    storage: &dyn Storage,
    number: u32,
) -> std::io::Result<Option<(Vec<u8>, Standing)>> {
    let Ok(file) = storage.open(&segment_name(number), false) else { return Ok(None) };
    let size = file.size()?;
    if size < HEADER {
        return Ok(None);
    }
    let mut bytes = vec![0; size as usize];
    file.read_at(&mut bytes, 0)?;
    let header = bytes[..HEADER as usize].try_into().expect("a header");
    let Ok(header) = SegmentHeader::decode(header) else { return Ok(None) };
    if header.number != number {
        return Ok(None);
    }
    let mut standing = Standing::at_begin(&header);
    let mut window = Window::new(Arc::clone(&file), size);
    let place = Place::new(header.ledger, number);
    // Whatever stops the walk: what stands before it is whole.
    let _ = walk(&mut window, place, &mut standing, (size, u64::MAX), |_, _, _| Ok(()));
    Ok(Some((bytes, standing)))
}

fn last_position_before(storage: &dyn Storage, number: u32) -> std::io::Result<u64> {
    let before = number.checked_sub(1).filter(|&number| number > 0);
    let prefix = before.map(|number| whole_prefix(storage, number)).transpose()?.flatten();
    Ok(prefix.map_or(0, |(_, standing)| standing.next_position - 1))
}
