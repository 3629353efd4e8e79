//! The quarantine in a backup: sealed as it is, with the mappings and what was settled.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Copies a quarantine, durably, also beside a process that changes it, and says how many files of
/// rows it has. What was settled is copied first: a row that is settled meanwhile is in the copy
/// twice or not at all, and taking it again is a repetition.
pub fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    let mut count = 0;
    let mappings = to.join("mappings");
    fs::create_dir_all(&mappings)?;
    copy_file(&from.join("settled"), &to.join("settled"))?;
    for (name, path) in files(from, "sealed")? {
        count += u64::from(copy_file(&path, &to.join(name))?);
    }
    for (name, path) in files(&from.join("mappings"), "toml")? {
        copy_file(&path, &mappings.join(name))?;
    }
    File::open(&mappings)?.sync_all()?;
    File::open(to)?.sync_all()?;
    Ok(count)
}

fn files(
    directory: &Path,
    ending: &str,
) -> io::Result<Vec<(std::ffi::OsString, std::path::PathBuf)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if Path::new(&entry.file_name()).extension().is_some_and(|found| found == ending) {
            files.push((entry.file_name(), entry.path()));
        }
    }
    Ok(files)
}

/// Says whether there was such a file: one whose rows were all settled meanwhile is gone.
fn copy_file(from: &Path, to: &Path) -> io::Result<bool> {
    let mut source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut copy = File::create_new(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()?;
    Ok(true)
}
