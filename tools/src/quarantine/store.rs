//! The quarantine on the disk: sealed, bounded, outside the ledger.
//!
//! `quarantine/` in the data directory holds files of up to [`CHUNK`] rows, each one sealed value
//! under the ledger's own key, the mappings they were read with, and `settled`, the ids of rows that
//! were taken or dropped since.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use cx_ledger::vault::Vault;
use jiff::Timestamp;
use uuid::Uuid;

pub use super::entry::{Entry, Settled};
use super::sealed::{Sealed, write_safely};

/// The folder in the data directory.
pub const FOLDER: &str = "quarantine";
/// The folder in it that holds the mappings.
const MAPPINGS: &str = "mappings";
/// Rows in one file.
const CHUNK: usize = 500;
/// Bytes of rows in one file, about.
const CHUNK_BYTES: usize = 1 << 20;
/// How long a row is kept.
pub const KEPT_DAYS: i64 = 90;
/// How much the quarantine holds, in bytes on the disk.
pub const LIMIT_BYTES: u64 = 256 << 20;

/// The quarantine of a data directory.
pub struct Quarantine {
    files: Sealed,
    limit: u64,
    chunks: Vec<Chunk>,
    waiting: Vec<Entry>,
    waiting_bytes: usize,
    held: HashMap<Uuid, usize>,
    settled: HashMap<Uuid, Settled>,
    newly_settled: String,
}

struct Chunk {
    name: String,
    size: u64,
}

impl Quarantine {
    /// Opens the quarantine of a data directory and lets go of what is older than [`KEPT_DAYS`].
    pub fn open(
        data: &Path,
        vault: Arc<Vault>,
        limit: u64,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let directory = data.join(FOLDER);
        fs::create_dir_all(directory.join(MAPPINGS))
            .with_context(|| format!("{} cannot be made", directory.display()))?;
        for name in names(&directory, "new")? {
            fs::remove_file(directory.join(name))?;
        }
        let expired = expired_before(now);
        for name in names(&directory, "sealed")?.into_iter().filter(|name| expired(name)) {
            fs::remove_file(directory.join(name))?;
        }
        Self::load(directory, vault, limit, now)
    }

    /// Looks at the quarantine of a data directory and changes nothing in it, beside a process that
    /// does.
    pub fn look(data: &Path, vault: Arc<Vault>, now: Timestamp) -> anyhow::Result<Self> {
        Self::load(data.join(FOLDER), vault, 0, now)
    }

    fn load(
        directory: PathBuf,
        vault: Arc<Vault>,
        limit: u64,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let mut store = Self {
            files: Sealed { directory, vault },
            limit,
            chunks: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            held: HashMap::new(),
            settled: HashMap::new(),
            newly_settled: String::new(),
        };
        let settled = store.files.directory.join("settled");
        for line in fs::read_to_string(settled).unwrap_or_default().lines() {
            if let Some((id, how)) = line.split_once(' ')
                && let Ok(id) = id.parse()
            {
                let how = if how == "taken" { Settled::Taken } else { Settled::Dropped };
                store.settled.insert(id, how);
            }
        }
        let expired = expired_before(now);
        let mut names = names(&store.files.directory, "sealed")?;
        names.retain(|name| !expired(name));
        names.sort();
        for (place, name) in names.into_iter().enumerate() {
            for entry in store.files.read(&name)? {
                // A crash can leave a row here that was settled; so can a backup taken meanwhile.
                if !store.settled.contains_key(&entry.id) {
                    store.held.insert(entry.id, place);
                }
            }
            let size = fs::metadata(store.files.directory.join(&name)).map_or(0, |file| file.len());
            store.chunks.push(Chunk { name, size });
        }
        Ok(store)
    }

    /// What became of a row that was here before.
    pub fn settled(&self, id: Uuid) -> Option<Settled> {
        self.settled.get(&id).copied()
    }

    /// Whether the row is here.
    pub fn holds(&self, id: Uuid) -> bool {
        self.held.contains_key(&id)
    }

    /// Whether nothing is here.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many rows are here.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// How many bytes it takes on the disk.
    pub fn size_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.size).sum()
    }

    /// Every row, oldest first.
    pub fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for place in 0..self.chunks.len() {
            entries.extend(self.entries_in(place)?);
        }
        Ok(entries)
    }

    /// How many files it was written into; the next rows go into the one with this number.
    pub fn places(&self) -> usize {
        self.chunks.len()
    }

    /// The rows of one file, counted from 0.
    pub fn entries_in(&self, place: usize) -> anyhow::Result<Vec<Entry>> {
        let mut entries = self.files.read(&self.chunks[place].name)?;
        entries.retain(|entry| self.holds(entry.id));
        Ok(entries)
    }

    /// Puts a row in. It is safe after the next [`Quarantine::write`].
    pub fn put(&mut self, entry: Entry) -> anyhow::Result<()> {
        if self.holds(entry.id) || self.settled.contains_key(&entry.id) {
            return Ok(());
        }
        self.held.insert(entry.id, self.chunks.len());
        let entry = entry.stored();
        let size: usize =
            entry.values.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        self.waiting_bytes += size + 400;
        self.waiting.push(entry);
        if self.waiting.len() >= CHUNK || self.waiting_bytes >= CHUNK_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// Keeps a copy of the mapping that rows were read with.
    pub fn keep_mapping(&self, digest: &str, text: &str) -> anyhow::Result<()> {
        let path = self.mapping_path(digest);
        if path.exists() { Ok(()) } else { write_safely(&path, text.as_bytes()) }
    }

    /// The mapping that rows were read with.
    pub fn mapping(&self, digest: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.mapping_path(digest)).context(
            "the copy of the mapping is gone; name the mapping with --mapping to take the rows again",
        )
    }

    fn mapping_path(&self, digest: &str) -> PathBuf {
        self.files.directory.join(MAPPINGS).join(format!("{digest}.toml"))
    }

    /// Writes what was put in and settled since, durably.
    pub fn write(&mut self) -> anyhow::Result<()> {
        if let Some(first) = self.waiting.first() {
            let at = first.at.as_second();
            let name = format!("{at:012}-{}-{:06}.sealed", first.import, self.chunks.len());
            let entries = std::mem::take(&mut self.waiting);
            self.waiting_bytes = 0;
            match self.add(&name, &entries) {
                Ok(size) => self.chunks.push(Chunk { name, size }),
                Err(error) => {
                    // They are nowhere: whoever sends them again must not be told that they are.
                    for entry in &entries {
                        self.held.remove(&entry.id);
                    }
                    let _ = fs::remove_file(self.files.directory.join(&name));
                    return Err(error);
                }
            }
        }
        if !self.newly_settled.is_empty() {
            let path = self.files.directory.join("settled");
            let mut file = File::options().create(true).append(true).open(path)?;
            file.write_all(self.newly_settled.as_bytes())?;
            file.sync_all()?;
            self.newly_settled.clear();
        }
        Ok(())
    }

    /// Writes a new file of rows, and says how many bytes it has.
    fn add(&self, name: &str, entries: &[Entry]) -> anyhow::Result<u64> {
        let size = self.files.replace(name, entries)?;
        if self.size_bytes() + size > self.limit {
            bail!(
                "the quarantine is full ({} MiB): take or drop rows with `cxledger quarantine`, \
                 then import the file again; nothing is taken twice",
                self.limit >> 20
            );
        }
        Ok(size)
    }

    /// Takes rows out for good, and remembers what became of them.
    pub fn settle(&mut self, ids: &[Uuid], how: Settled) -> anyhow::Result<()> {
        let word = if how == Settled::Taken { "taken" } else { "dropped" };
        for id in ids {
            self.settled.insert(*id, how);
            self.newly_settled.extend([&id.to_string(), " ", word, "\n"]);
        }
        self.write()?;
        self.rewrite(ids, |_, entry| !ids.contains(&entry.id))?;
        for id in ids {
            self.held.remove(id);
        }
        Ok(())
    }

    /// Puts a corrected row in the place of an earlier one.
    pub fn mend(&mut self, mended: &Entry) -> anyhow::Result<()> {
        self.rewrite(&[mended.id], |_, entry| {
            if entry.id == mended.id {
                *entry = mended.clone().stored();
            }
            true
        })
    }

    fn rewrite(
        &mut self,
        ids: &[Uuid],
        mut keep: impl FnMut(usize, &mut Entry) -> bool,
    ) -> anyhow::Result<()> {
        let mut places: Vec<usize> =
            ids.iter().filter_map(|id| self.held.get(id).copied()).collect();
        places.sort_unstable();
        places.dedup();
        for place in places {
            let name = self.chunks[place].name.clone();
            let mut entries = self.files.read(&name)?;
            let mut number = 0;
            entries.retain_mut(|entry| {
                number += 1;
                keep(number - 1, entry)
            });
            self.chunks[place].size = if entries.is_empty() {
                fs::remove_file(self.files.directory.join(&name))?;
                0
            } else {
                self.files.replace(&name, &entries)?
            };
        }
        // An emptied file keeps its place here, so that the others keep theirs.
        Ok(())
    }
}

/// The names of a directory's files with an ending; none where there is no directory.
fn names(directory: &Path, ending: &str) -> anyhow::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{}", directory.display())),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|found| found == ending) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether a file's rows are older than they are kept.
fn expired_before(now: Timestamp) -> impl Fn(&str) -> bool {
    let oldest = now.as_second() - KEPT_DAYS * 86_400;
    move |name| {
        let at = name.split('-').next().and_then(|second| second.parse::<i64>().ok());
        at.is_some_and(|at| at < oldest)
    }
}

#[cfg(test)]
mod tests {
    use cx_model::ImportId;

    use super::*;

    fn entry(line: u64, value: &str) -> Entry {
        Entry {
            id: cx_model::derived_id(&["test", &line.to_string()]),
            import: ImportId(Uuid::from_u128(9)),
            at: Timestamp::from_second(1_700_000_000).unwrap(),
            file: "f.csv".into(),
            file_digest: "00".into(),
            line,
            column: Some("a".into()),
            reason: "no time".into(),
            mapping: "m".into(),
            mapping_digest: "11".into(),
            source: Some("s".into()),
            unread: false,
            values: vec![("a".into(), value.into())],
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_100).unwrap()
    }

    #[test]
    fn rows_are_sealed_kept_mended_settled_and_not_put_in_twice() {
        let data = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::in_memory());
        let mut store = Quarantine::open(data.path(), vault.clone(), LIMIT_BYTES, now()).unwrap();
        for line in 1..=1200 {
            store.put(entry(line, "Ada Lovelace")).unwrap();
        }
        store.put(entry(7, "again")).unwrap();
        store.write().unwrap();
        for item in fs::read_dir(data.path().join("quarantine")).unwrap() {
            let path = item.unwrap().path();
            if path.is_file() {
                let bytes = fs::read(path).unwrap();
                assert!(!bytes.windows(8).any(|window| window == b"Lovelace"));
            }
        }
        let mut store = Quarantine::open(data.path(), vault.clone(), LIMIT_BYTES, now()).unwrap();
        assert_eq!(store.entries().unwrap().len(), 1200);
        let mended = entry(700, "Grace Hopper");
        store.mend(&mended).unwrap();
        let first: Vec<_> = (1..=600).map(|line| entry(line, "").id).collect();
        store.settle(&first, Settled::Taken).unwrap();
        let store = Quarantine::open(data.path(), vault.clone(), LIMIT_BYTES, now()).unwrap();
        let entries = store.entries().unwrap();
        assert_eq!(entries.len(), 600);
        assert!(entries.contains(&mended) && !store.holds(first[0]));
        assert_eq!(store.settled(first[0]), Some(Settled::Taken));
    }

    #[test]
    fn what_is_too_old_is_let_go_and_what_is_too_much_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::in_memory());
        let mut store = Quarantine::open(data.path(), vault.clone(), 3000, now()).unwrap();
        store.put(entry(1, "x")).unwrap();
        store.write().unwrap();
        store.put(entry(2, &"y".repeat(4000))).unwrap();
        let error = store.write().unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
        let later = Timestamp::from_second(1_700_000_000 + 91 * 86_400).unwrap();
        let store = Quarantine::open(data.path(), vault.clone(), LIMIT_BYTES, later).unwrap();
        assert!(store.is_empty());
    }

    #[test]
    fn a_row_that_could_not_be_written_is_not_here_and_can_be_put_in_again() {
        let data = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::in_memory());
        let open = |limit| Quarantine::open(data.path(), vault.clone(), limit, now()).unwrap();
        let mut store = open(3000);
        let large = entry(1, &"y".repeat(4000));
        for _ in 0..2 {
            store.put(large.clone()).unwrap();
            assert!(store.write().unwrap_err().to_string().contains("full"));
            assert!(!store.holds(large.id) && store.is_empty());
        }
        let name = format!("{:012}-{}-000000.new", 1_700_000_000, large.import);
        let in_the_way = data.path().join(FOLDER).join(name);
        fs::create_dir(&in_the_way).unwrap();
        store.put(entry(2, "x")).unwrap();
        store.write().unwrap_err();
        assert!(!store.holds(entry(2, "").id));
        fs::remove_dir(&in_the_way).unwrap();
        store.put(entry(2, "x")).unwrap();
        store.write().unwrap();
        assert_eq!(open(LIMIT_BYTES).entries().unwrap(), [entry(2, "x")]);
    }
}
