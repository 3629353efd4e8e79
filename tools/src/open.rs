//! A data directory, opened.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use cx_ledger::book::Book;
use cx_ledger::vault::Vault;
use cx_ledger::{EmbeddedLog, KeySource, OpenError, Options, VaultError};
use tokio::runtime::Runtime;

/// The folder of the log in a data directory.
const LOG: &str = "log";

/// A data directory, opened by this process.
pub struct Opened {
    /// The ledger.
    pub book: Book,
    /// What the ledger's calls run on.
    pub runtime: Runtime,
}

impl Opened {
    /// Opens a data directory to write, or makes one. Only one process can.
    pub fn to_write(data: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data)
            .with_context(|| format!("the data directory {} cannot be made", data.display()))?;
        let runtime = Runtime::new()?;
        let vault = Vault::open(data, &KeySource::from_env()).map_err(|error| match error {
            VaultError::Locked { .. } => anyhow::anyhow!(in_use(data)),
            error => error.into(),
        })?;
        let opened = EmbeddedLog::open(&data.join(LOG), Options::default());
        let (ledger, _) = opened.map_err(|error| match error {
            OpenError::Locked { .. } => anyhow::anyhow!(in_use(data)),
            error => error.into(),
        })?;
        Ok(Self { book: Book::new(Arc::new(ledger), Arc::new(vault)), runtime })
    }
}

/// What to do where a server has the data directory.
fn in_use(data: &Path) -> String {
    format!(
        "{} is in use by another process, probably `cxledger serve`: stop it, run this command, and \
         start it again",
        data.display()
    )
}
