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
use cx_ledger::vault::{Opened, Place, Vault};
use cx_model::{ImportId, SealedValue};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Rows in one file.
const CHUNK: usize = 500;
/// Bytes of rows in one file, about.
const CHUNK_BYTES: usize = 1 << 20;
/// How long a row is kept.
pub const KEPT_DAYS: i64 = 90;
/// How much the quarantine holds, in bytes on the disk.
pub const LIMIT_BYTES: u64 = 256 << 20;

/// A row that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its id: the same row of the same file has the same id each time.
    pub id: Uuid,
    /// The import that put it here.
    pub import: ImportId,
    /// When.
    pub at: Timestamp,
    /// The file's name.
    pub file: String,
    /// SHA-256 of the file, hex.
    pub file_digest: String,
    /// The line it begins on.
    pub line: u64,
    /// The column at fault.
    pub column: Option<String>,
    /// What is wrong. It quotes nothing of the row.
    pub reason: String,
    /// The mapping's name.
    pub mapping: String,
    /// SHA-256 of the mapping, hex; a copy of it lies beside.
    pub mapping_digest: String,
    /// The row's id in its system, where that could be read.
    pub source: Option<String>,
    /// The values may not be those of their columns: the line could not be read as a row. It is
    /// not taken again before it is mended.
    pub unread: bool,
    /// The names of the columns and what stands in them.
    pub values: Vec<(String, String)>,
}

/// What became of a row that was here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is in the ledger.
    Taken,
    /// Nobody wants it.
    Dropped,
}

/// The quarantine of a data directory.
pub struct Quarantine {
    directory: PathBuf,
    vault: Arc<Vault>,
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
        let directory = data.join("quarantine");
        fs::create_dir_all(directory.join("mappings"))
            .with_context(|| format!("{} cannot be made", directory.display()))?;
        let mut store = Self {
            directory,
            vault,
            limit,
            chunks: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            held: HashMap::new(),
            settled: HashMap::new(),
            newly_settled: String::new(),
        };
        store.load(now)?;
        Ok(store)
    }

    fn load(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let oldest = now.as_second() - KEPT_DAYS * 86_400;
        let mut names = Vec::new();
        for item in fs::read_dir(&self.directory)? {
            let item = item?;
            let name = item.file_name().to_string_lossy().into_owned();
            let path = Path::new(&name);
            if path.extension().is_some_and(|ending| ending == "new") {
                fs::remove_file(item.path())?;
            }
            if path.extension().is_none_or(|ending| ending != "sealed") {
                continue;
            }
            let at: Option<i64> = name.split('-').next().and_then(|second| second.parse().ok());
            if at.is_some_and(|at| at < oldest) {
                fs::remove_file(item.path())?;
            } else {
                names.push(Chunk { size: item.metadata()?.len(), name });
            }
        }
        names.sort_by(|a, b| a.name.cmp(&b.name));
        self.chunks = names;
        for place in 0..self.chunks.len() {
            for entry in self.read(&self.chunks[place].name)? {
                self.held.insert(entry.id, place);
            }
        }
        let settled = self.directory.join("settled");
        for line in fs::read_to_string(settled).unwrap_or_default().lines() {
            if let Some((id, how)) = line.split_once(' ')
                && let Ok(id) = id.parse()
            {
                let how = if how == "taken" { Settled::Taken } else { Settled::Dropped };
                self.settled.insert(id, how);
            }
        }
        Ok(())
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

    /// How many bytes it takes on the disk.
    pub fn size_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.size).sum()
    }

    /// Every row, oldest first.
    pub fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for chunk in &self.chunks {
            entries.extend(self.read(&chunk.name)?);
        }
        Ok(entries)
    }

    /// Puts a row in. It is safe after the next [`Quarantine::write`].
    pub fn put(&mut self, entry: Entry) -> anyhow::Result<()> {
        if self.holds(entry.id) || self.settled.contains_key(&entry.id) {
            return Ok(());
        }
        self.held.insert(entry.id, self.chunks.len());
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
        self.directory.join("mappings").join(format!("{digest}.toml"))
    }

    /// Writes what was put in and settled since, durably.
    pub fn write(&mut self) -> anyhow::Result<()> {
        if let Some(first) = self.waiting.first() {
            let at = first.at.as_second();
            let name = format!("{at:012}-{}-{:06}.sealed", first.import, self.chunks.len());
            let entries = std::mem::take(&mut self.waiting);
            self.waiting_bytes = 0;
            let size = self.replace(&name, &entries)?;
            if self.size_bytes() + size > self.limit {
                fs::remove_file(self.directory.join(&name))?;
                bail!(
                    "the quarantine is full ({} MiB): take or drop rows with `cxledger quarantine`, \
                     then import the file again; nothing is taken twice",
                    self.limit >> 20
                );
            }
            self.chunks.push(Chunk { name, size });
        }
        if !self.newly_settled.is_empty() {
            let path = self.directory.join("settled");
            let mut file = File::options().create(true).append(true).open(path)?;
            file.write_all(self.newly_settled.as_bytes())?;
            file.sync_all()?;
            self.newly_settled.clear();
        }
        Ok(())
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
                entry.clone_from(mended);
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
            let mut entries = self.read(&name)?;
            let mut number = 0;
            entries.retain_mut(|entry| {
                number += 1;
                keep(number - 1, entry)
            });
            self.chunks[place].size = if entries.is_empty() {
                fs::remove_file(self.directory.join(&name))?;
                0
            } else {
                self.replace(&name, &entries)?
            };
        }
        // An emptied file keeps its place here, so that the others keep theirs.
        Ok(())
    }

    fn replace(&self, name: &str, entries: &[Entry]) -> anyhow::Result<u64> {
        let clear = serde_json::to_vec(entries)?;
        let import = entries.first().map_or(ImportId(Uuid::nil()), |entry| entry.import);
        let stream = import.stream();
        let place =
            Place { stream: &stream, event: import.0, event_type: "Quarantine", field: name };
        let sealed = serde_json::to_vec(&(import, self.vault.seal_own(&place, &clear)?))?;
        write_safely(&self.directory.join(name), &sealed)?;
        Ok(sealed.len() as u64)
    }

    fn read(&self, name: &str) -> anyhow::Result<Vec<Entry>> {
        let path = self.directory.join(name);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        let damaged = || format!("{} is damaged; restore it from a backup", path.display());
        let (import, sealed): (ImportId, SealedValue) =
            serde_json::from_slice(&sealed).with_context(damaged)?;
        let stream = import.stream();
        let place =
            Place { stream: &stream, event: import.0, event_type: "Quarantine", field: name };
        match self.vault.open_value(&sealed, &place).with_context(damaged)? {
            Opened::Clear(clear) => serde_json::from_slice(&clear).with_context(damaged),
            Opened::Erased => bail!("the ledger's own key is never erased"),
        }
    }
}

fn write_safely(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new).with_context(|| format!("{}", new.display()))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
}
