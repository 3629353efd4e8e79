//! One file, from a look at its beginning to its last row.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use indicatif::ProgressBar;

use super::counts::{Counts, Summary};
use super::reader::{self, Rows};
use super::row::Row;
use super::run::{Data, MappingText, Origin, Run};
use super::source;
use crate::quarantine::store::Quarantine;

/// So many rows are looked at before anything is written.
const LOOKED_AT: usize = 1000;

/// A file of which the first rows were read.
struct Begun {
    rows: Box<dyn Rows>,
    first: VecDeque<Row>,
}

/// Looks at the beginning of every file, and fails with all that is wrong with any of them: who
/// imports several files wants to know before the first of them is taken.
pub fn check_all(files: &[PathBuf], mapping: &MappingText) -> anyhow::Result<()> {
    let wrong = |path: &PathBuf| {
        let error = check(path, mapping).err()?;
        Some(format!("{}: {error:#}", path.display()).replace('\n', "\n    "))
    };
    let wrong: Vec<String> = files.iter().filter_map(wrong).collect();
    let (name, count) = (&mapping.mapping.name, files.len());
    ensure!(
        wrong.is_empty(),
        "nothing was imported: {} of {count} {} cannot be read with the mapping {name}\n  {}",
        wrong.len(),
        if count == 1 { "file" } else { "files" },
        wrong.join("\n  ")
    );
    Ok(())
}

fn check(path: &Path, mapping: &MappingText) -> anyhow::Result<()> {
    let kind = match std::fs::metadata(path) {
        Ok(kind) => kind,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("there is no such file")
        }
        Err(error) => return Err(error).context("it cannot be read"),
    };
    ensure!(!kind.is_dir(), "it is a directory: name the files in it");
    ensure!(kind.is_file(), "it is no file, and it is read twice: save it to one first");
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz")) {
        let mut start = [0; 2];
        let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut start));
        read.context("it cannot be read")?;
        ensure!(
            start == [0x1f, 0x8b],
            "its name ends in .gz, but it is not packed with gzip: fetch it again, or give it its \
             right name if it was never packed"
        );
    }
    begin(path, mapping, Arc::default()).map(|_| ())
}

/// Opens a file and reads its first rows. Fails if the mapping names columns that are not there.
fn begin(path: &Path, mapping: &MappingText, done: Arc<AtomicU64>) -> anyhow::Result<Begun> {
    let spec = &mapping.mapping.file;
    let source = source::open(path, spec.encoding()?, done)?;
    let mut rows = reader::open(source, spec, &mapping.mapping.columns)?;
    let first = look_ahead(rows.as_mut(), mapping)?;
    Ok(Begun { rows, first })
}

/// Reads the first rows, and fails if the mapping names a column that none of them has.
fn look_ahead(rows: &mut dyn Rows, mapping: &MappingText) -> anyhow::Result<VecDeque<Row>> {
    let columns = &mapping.mapping.columns;
    let mut first = VecDeque::new();
    while first.len() < LOOKED_AT
        && let Some(row) = rows.next(columns)?
    {
        first.push_back(row);
    }
    let missing = columns.missing(|name| first.iter().any(|row| row.has(name)));
    if !first.is_empty() && !missing.is_empty() {
        let known = || first.iter().flat_map(Row::names);
        bail!(
            "the mapping names columns that none of the first {} rows has: {}\n\
             correct the names in the mapping, or say `optional = true` where a column may be left out",
            first.len(),
            super::row::with_hints(&missing, known)
        );
    }
    Ok(first)
}

/// Imports one file.
pub fn import_file(
    data: Data<'_>,
    path: &Path,
    mapping: &MappingText,
    quarantine: &mut Quarantine,
    bar: &ProgressBar,
) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let (digest, size) = source::digest(path)?;
    bar.set_length(size);
    bar.set_message(file.clone());
    let done = Arc::new(AtomicU64::new(0));
    let Begun { mut rows, mut first } =
        begin(path, mapping, done.clone()).with_context(|| file.clone())?;
    let columns = &mapping.mapping.columns;
    let keyed = |purpose: &str, name: &str| data.book.vault().keyed_id(purpose, &[name.as_bytes()]);
    let origin = Origin { file: file.clone(), digest };
    let mut run = Run::start(data, mapping, &keyed, quarantine, origin)?;
    loop {
        let next = match first.pop_front() {
            Some(row) => Some(row),
            None => rows.next(columns).with_context(|| stopped(&file, run.counts()))?,
        };
        let Some(row) = next else { break };
        run.offer(row)?;
        if run.has_nothing_waiting() {
            bar.set_position(done.load(Ordering::Relaxed));
        }
    }
    let (import, counts, _) = run.finish()?;
    bar.set_position(size);
    let mapping = mapping.mapping.name.clone();
    Ok(Summary { file, import, mapping, counts, seconds: started.elapsed().as_secs_f64() })
}

fn stopped(file: &str, counts: &Counts) -> String {
    format!(
        "{file} could not be read to its end ({} rows were read before); mend the file and import it \
         again: what was taken is not taken twice",
        counts.read
    )
}
