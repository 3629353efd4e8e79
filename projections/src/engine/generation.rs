//! A generation of a view: the directory whose name is what the view's code does.
//!
//! `DIR/VIEW/active` names the generation that is served and the one before it. Each generation
//! has a directory beside it: `rows` (the database), `redo` (a commit under way), `flushed` (the
//! last head known to be in the database's files), `mark` (clean or open, and the machine's boot),
//! `meaning` (of its keys and rows), `complete` (it was served once), `awaited` (it was made for a program
//! that does not serve yet). What cannot be used is put aside as `GENERATION.damaged-N`, with the
//! `reason` in it, until the generation that takes its place is served.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fingerprint::Meaning;
use crate::folder::{Head, head_of, read_head};
use crate::projection::Provenance;
use crate::root::Root;
use crate::rows::space;
use crate::store::disk::DiskStore;
use crate::store::{Store, StoreError, Stretch};
use crate::stored;

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The directory of one view.
#[derive(Clone)]
pub(crate) struct ViewDirectory {
    path: PathBuf,
}

/// What `active` says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pointer {
    pub active: Option<String>,
    pub previous: Option<String>,
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn io(error: std::io::Error) -> StoreError {
    StoreError::Failed { reason: error.to_string() }
}

/// Writes a small file whole or not at all.
fn put_file(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new).map_err(io)?;
    file.write_all(contents).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&new, path).map_err(io)
}

impl ViewDirectory {
    pub fn new(views: &Path, name: &str) -> Result<Self, StoreError> {
        let path = views.join(name);
        fs::create_dir_all(&path).map_err(io)?;
        Ok(Self { path })
    }

    pub fn pointer(&self) -> Pointer {
        let text = fs::read_to_string(self.path.join("active")).unwrap_or_default();
        let mut lines = text.lines().map(str::to_owned).filter(|line| !line.is_empty());
        Pointer { active: lines.next(), previous: lines.next() }
    }

    pub fn generation(&self, name: &str) -> GenerationDirectory {
        GenerationDirectory { path: self.path.join(name) }
    }

    /// Makes this generation the one that is served, and keeps one before it, and one that is awaited.
    pub fn flip(&self, name: &str) -> Result<(), StoreError> {
        put_file(&self.generation(name).path.join("complete"), b"")?;
        let pointer = self.pointer();
        if pointer.active.as_deref() != Some(name) {
            let previous = pointer.active.unwrap_or_default();
            put_file(&self.path.join("active"), format!("{name}\n{previous}\n").as_bytes())?;
        }
        self.generation(name).await_no_more()?;
        let kept = self.pointer();
        for entry in fs::read_dir(&self.path).map_err(io)?.flatten() {
            let directory = entry.file_name().to_string_lossy().into_owned();
            let wanted = [&kept.active, &kept.previous].into_iter().flatten();
            let keep = wanted.into_iter().any(|name| *name == directory);
            let keep = keep || self.generation(&directory).is_awaited();
            if !keep && entry.path().is_dir() {
                fs::remove_dir_all(entry.path()).map_err(io)?;
            }
        }
        Ok(())
    }

    /// Keeps this generation, which another program is going to serve, until it is served. It is
    /// the only one that is waited for: one that was made before and never served may go.
    pub fn await_generation(&self, name: &str) -> Result<(), StoreError> {
        if self.pointer().active.as_deref() == Some(name) {
            return Ok(());
        }
        for entry in fs::read_dir(&self.path).map_err(io)?.flatten() {
            if entry.path().is_dir() && entry.file_name() != name {
                self.generation(&entry.file_name().to_string_lossy()).await_no_more()?;
            }
        }
        self.mark_awaited(name)
    }

    pub fn mark_awaited(&self, name: &str) -> Result<(), StoreError> {
        put_file(&self.generation(name).path.join("awaited"), b"")
    }
}

/// How a generation was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// It was closed, or its process died and the machine lives on.
    Whole,
    /// The machine may have lost power: every row is read before it is served.
    Doubtful,
}

/// The directory of one generation.
#[derive(Clone)]
pub(crate) struct GenerationDirectory {
    path: PathBuf,
}

/// The machine's boot, where there is such a thing.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

impl GenerationDirectory {
    /// It holds rows of some kind.
    pub fn exists(&self) -> bool {
        self.path.join("mark").exists()
    }

    /// It was served once, so it may be served again at once.
    pub fn is_complete(&self) -> bool {
        self.path.join("complete").exists()
    }

    /// Another program is going to serve it.
    fn is_awaited(&self) -> bool {
        self.path.join("awaited").exists()
    }

    fn await_no_more(&self) -> Result<(), StoreError> {
        match fs::remove_file(self.path.join("awaited")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(error)),
            _ => Ok(()),
        }
    }

    /// What its rows mean; `None` if an earlier program made it that did not say.
    pub fn meaning(&self) -> Option<Meaning> {
        Meaning::of_text(&fs::read_to_string(self.path.join("meaning")).ok()?)
    }

    /// Opens the rows, or says what is wrong with them.
    pub fn open(&self, meaning: &Meaning, cache_bytes: u64) -> Result<Arc<dyn Store>, StoreError> {
        let left = self.left();
        let existed = self.exists();
        fs::create_dir_all(&self.path).map_err(io)?;
        let store: Arc<dyn Store> = Arc::new(DiskStore::open(&self.path, cache_bytes)?);
        let head = read_head(&*store)?;
        if existed {
            self.check_flushed(head.as_ref())?;
        }
        if left == Left::Doubtful
            && let Some(head) = &head
        {
            let mut check = RowCheck::default();
            while !check.step(&*store, 100_000)? {}
            check.compare(head)?;
        }
        put_file(&self.path.join("meaning"), meaning.to_text().as_bytes())?;
        put_file(&self.path.join("mark"), format!("open {}", boot_id()).as_bytes())?;
        Ok(store)
    }

    fn left(&self) -> Left {
        let mark = fs::read_to_string(self.path.join("mark")).unwrap_or_default();
        let boot = boot_id();
        match mark.split_once(' ') {
            None | Some(("clean", _)) => Left::Whole,
            Some((_, left)) if left == boot && !boot.is_empty() => Left::Whole,
            Some(_) => Left::Doubtful,
        }
    }

    /// A database that knows less than was flushed has lost rows.
    fn check_flushed(&self, head: Option<&Head>) -> Result<(), StoreError> {
        let Some(flushed) = self.flushed()? else { return Ok(()) };
        match head {
            Some(head) if head.ordinal > flushed.ordinal => Ok(()),
            Some(head) if *head == flushed => Ok(()),
            _ => Err(stored::damaged("the database knows less than was written to it")),
        }
    }

    /// What is surely in the database's files.
    pub fn flushed(&self) -> Result<Option<Head>, StoreError> {
        let Ok(bytes) = fs::read(self.path.join("flushed")) else { return Ok(None) };
        head_of(&bytes).map(Some)
    }

    /// Notes what is surely in the database's files.
    pub fn note_flushed(&self, head: &Head) -> Result<(), StoreError> {
        let (bytes, _) = stored::seal(&Provenance::default(), head);
        let path = self.path.join("flushed");
        let new = path.with_extension("new");
        fs::write(&new, bytes).and_then(|()| fs::rename(&new, &path)).map_err(io)
    }

    /// Notes that everything is in the files.
    pub fn mark_clean(&self) -> Result<(), StoreError> {
        put_file(&self.path.join("mark"), format!("clean {}", boot_id()).as_bytes())
    }

    /// Moves the directory out of the way, says in it why, and answers with where it is now.
    pub fn put_aside(&self, reason: &str) -> Result<PathBuf, StoreError> {
        for n in 1.. {
            let aside = self.path.with_extension(format!("damaged-{n}"));
            if !aside.exists() {
                fs::rename(&self.path, &aside).map_err(io)?;
                Self { path: aside.clone() }.await_no_more()?;
                put_file(&aside.join("reason"), format!("{reason}\n").as_bytes())?;
                return Ok(aside);
            }
        }
        unreachable!("there are more numbers than directories")
    }
}

/// Reads all rows and adds up their roots, a few at a time, beside the commits of one writer.
#[derive(Default)]
pub(crate) struct RowCheck {
    next: Option<Vec<u8>>,
    root: Root,
    evidence_root: Root,
    /// Bytes of keys and values seen.
    pub logical_bytes: u64,
}

impl RowCheck {
    /// Reads on; `true` when it has seen all rows.
    pub fn step(&mut self, store: &dyn Store, rows: usize) -> Result<bool, StoreError> {
        let mut stretch = Stretch::under(&[space::ROWS]);
        stretch.to = std::ops::Bound::Unbounded;
        if let Some(next) = &self.next {
            stretch.from = std::ops::Bound::Excluded(next.clone());
        }
        let mut seen = 0;
        let mut last = None;
        store.scan(&stretch, &mut |key, bytes| {
            self.logical_bytes += (key.len() + bytes.len()) as u64;
            self.sum(key).add(Root::of_row(key, stored::open(bytes)?.row));
            seen += 1;
            if seen == rows {
                last = Some(key.to_vec());
            }
            Ok(seen < rows)
        })?;
        if last.is_some() {
            self.next = last;
            return Ok(false);
        }
        Ok(true)
    }

    fn sum(&mut self, key: &[u8]) -> &mut Root {
        if key.first() == Some(&space::EVIDENCE) { &mut self.evidence_root } else { &mut self.root }
    }

    /// A row that was seen already changes.
    pub fn change(&mut self, key: &[u8], before: Option<Root>, now: Option<Root>) {
        if self.next.as_deref().is_some_and(|next| key <= next) {
            if let Some(before) = before {
                self.sum(key).subtract(before);
            }
            if let Some(now) = now {
                self.sum(key).add(now);
            }
        }
    }

    /// The rows agree with the head.
    pub fn compare(&self, head: &Head) -> Result<(), StoreError> {
        if self.root == head.root && self.evidence_root == head.evidence_root {
            Ok(())
        } else {
            Err(stored::damaged("the rows do not agree with their root"))
        }
    }
}
