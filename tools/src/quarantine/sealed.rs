//! Files of rows, each one sealed value under the ledger's own key.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use cx_ledger::vault::{Opened, Place, Vault};
use cx_model::{ImportId, SealedValue};
use uuid::Uuid;

use super::entry::Entry;

/// The files of a directory.
pub struct Sealed {
    /// Where they lie.
    pub directory: PathBuf,
    /// What seals them.
    pub vault: Arc<Vault>,
}

impl Sealed {
    /// Writes a file of rows in the place of an earlier one, and says how many bytes it has.
    pub fn replace(&self, name: &str, entries: &[Entry]) -> anyhow::Result<u64> {
        let clear = serde_json::to_vec(entries)?;
        let import = entries.first().map_or(ImportId(Uuid::nil()), |entry| entry.import);
        let stream = import.stream();
        let place =
            Place { stream: &stream, event: import.0, event_type: "Quarantine", field: name };
        let sealed = serde_json::to_vec(&(import, self.vault.seal_own(&place, &clear)?))?;
        write_safely(&self.directory.join(name), &sealed)?;
        Ok(sealed.len() as u64)
    }

    /// The rows of a file; none if it is gone.
    pub fn read(&self, name: &str) -> anyhow::Result<Vec<Entry>> {
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

/// Writes a file as a whole or not at all.
pub fn write_safely(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
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
