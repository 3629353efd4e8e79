//! A data directory, opened: to write, which one process can, or to read beside it.
//!
//! `ledger/` holds the log, `keys/` the vault, `views/` the rows folded from the log (a cache that
//! rebuilds itself), `past/` views as they stood (made by `cxledger past`), `quarantine/` what could
//! not be imported; `server` names the address of the server that has the directory open. With
//! `CXLEDGER_LEDGER` set to the address of an event store the ledger is there, and everything else
//! here, with `marks` of what was counted; the keys are where `CXLEDGER_KEYS` says, and all nodes of
//! such a ledger share them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail, ensure};
use cx_ledger::embedded::Options;
use cx_ledger::kurrent::Marks;
use cx_ledger::vault::STORE_FILE;
use cx_ledger::{
    Book, EmbeddedLog, KurrentLedger, KurrentSettings, Ledger, OpenError, Vault, VaultError,
};
use cx_model::Position;
use jiff::Timestamp;
use tokio::runtime::Runtime;

use crate::quarantine::erased::drop_erased;
use crate::quarantine::store::Quarantine;
use crate::say::{counted, data_option};
use crate::{config, elsewhere};

mod reviewed;

/// The directory of the keys.
const KEYS: &str = "CXLEDGER_KEYS";

/// The places of a data directory.
#[derive(Debug, Clone)]
pub struct Places {
    data: PathBuf,
}

impl Places {
    /// Of a data directory.
    pub fn new(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    /// The data directory itself.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The log.
    pub fn ledger(&self) -> PathBuf {
        self.data.join("ledger")
    }

    /// The keys: in the data directory, unless the nodes of a ledger share them elsewhere.
    pub fn keys(&self) -> PathBuf {
        config::value(KEYS).map_or_else(|| self.data.join("keys"), PathBuf::from)
    }

    /// What was counted of a ledger on an event store.
    fn marks(&self, write: bool) -> Marks {
        Marks { path: self.data.join("marks"), write }
    }

    /// Locked by the process that has the directory open while its ledger is on an event store.
    fn node(&self) -> PathBuf {
        self.data.join("node.lock")
    }

    /// The views.
    pub fn views(&self) -> PathBuf {
        self.data.join("views")
    }

    /// Says that the ledger was restored and its erasures were not repeated yet.
    pub fn restored(&self) -> PathBuf {
        self.data.join("restored")
    }

    /// The views as they stood, by position.
    pub fn past(&self) -> PathBuf {
        self.data.join("past")
    }

    /// What could not be imported.
    pub fn quarantine(&self) -> PathBuf {
        self.data.join(crate::quarantine::store::FOLDER)
    }

    /// The address of the server that has the directory open.
    pub fn server(&self) -> PathBuf {
        self.data.join("server")
    }

    /// Fails where the data directory has no log: a name that was mistyped makes no new ledger.
    pub fn ledger_is_there(&self) -> anyhow::Result<()> {
        ensure!(
            self.ledger().exists(),
            "there is no ledger in {}: name one with --data, or make one with `cxledger demo`, \
             `cxledger serve` or `cxledger import`",
            self.data.display()
        );
        Ok(())
    }

    /// What the server wrote there, or one that was killed.
    fn server_address(&self) -> Option<String> {
        let address = std::fs::read_to_string(self.server()).ok()?;
        Some(address.trim().to_owned())
    }
}

/// A data directory, opened by this process.
pub struct Opened {
    /// The ledger, as the model sees it.
    pub book: Book,
    /// The log under it, unless the ledger is on an event store.
    log: Option<EmbeddedLog>,
    /// What the ledger's calls run on.
    pub runtime: Runtime,
    /// Where everything lies.
    pub places: Places,
    /// The address of the server beside which this process reads.
    pub served: Option<String>,
    /// Held as long as the directory is open.
    _node: Option<File>,
}

impl Opened {
    /// Opens a data directory to write, or makes one. Only one process can.
    pub fn to_write(data: &Path) -> anyhow::Result<Self> {
        let places = Places::new(data);
        if let Some(settings) = elsewhere::chosen()? {
            return Self::elsewhere_to_write(settings, places);
        }
        for directory in [places.ledger(), places.keys()] {
            std::fs::create_dir_all(&directory)
                .with_context(|| format!("the directory {} cannot be made", directory.display()))?;
        }
        let (log, report) = match EmbeddedLog::open(&places.ledger(), Options::default()) {
            Err(OpenError::Locked { .. }) => bail!(in_use(data, &places)),
            other => other?,
        };
        if report.torn_bytes > 0 {
            eprintln!(
                "The last run was cut off by a crash: {} bytes that were never acknowledged are gone.",
                report.torn_bytes
            );
        }
        if log.head_now() != Position::START {
            keys_are_there(&places)?;
        }
        let vault = vault_to_write(&places)?;
        let opened = Self::of(log, vault, places)?;
        opened.repeat_erasures()?;
        Ok(opened)
    }

    /// Opens a data directory to write whose ledger has to be there.
    pub fn existing_to_write(data: &Path) -> anyhow::Result<Self> {
        if elsewhere::chosen()?.is_none() {
            Places::new(data).ledger_is_there()?;
        }
        Self::to_write(data)
    }

    /// Opens a data directory whose ledger is on an event store, or makes one.
    fn elsewhere_to_write(settings: KurrentSettings, places: Places) -> anyhow::Result<Self> {
        for directory in [places.data(), &places.keys()] {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("the directory {} cannot be made", directory.display()))?;
        }
        let node = File::create(places.node())
            .with_context(|| format!("{} cannot be written", places.node().display()))?;
        if node.try_lock().is_err() {
            bail!(in_use(places.data(), &places));
        }
        let runtime = Runtime::new()?;
        let settings = settings.with_marks(places.marks(true));
        let ledger = runtime.block_on(KurrentLedger::connect(settings))?;
        if runtime.block_on(ledger.head())? != Position::START {
            keys_are_there(&places)?;
        }
        let vault = Vault::open_shared(&places.keys(), &config::key_source())?;
        let opened = Self { _node: Some(node), ..Self::over(ledger, vault, runtime, places) };
        opened.review(true)?;
        Ok(opened)
    }

    fn over(ledger: KurrentLedger, vault: Vault, runtime: Runtime, places: Places) -> Self {
        let book = Book::new(Arc::new(ledger), Arc::new(vault));
        Self { book, log: None, runtime, places, served: None, _node: None }
    }

    /// The log; fails where the ledger is on an event store.
    pub fn log(&self) -> anyhow::Result<&EmbeddedLog> {
        self.log.as_ref().context(
            "the ledger is on an event store (CXLEDGER_LEDGER), and this is about the log of this \
             machine",
        )
    }

    /// After a restore the keys can be older than the erasures that the ledger tells of, and the
    /// ledger older than erasures that the keys know of.
    fn repeat_erasures(&self) -> anyhow::Result<()> {
        let mark = self.places.restored();
        if !mark.exists() {
            return Ok(());
        }
        let alive = self.runtime.block_on(self.book.repeat_erasures())?;
        let said = self.runtime.block_on(self.book.say_erasures())?;
        let rows = self.drop_rows_of_the_erased()?;
        std::fs::remove_file(&mark)?;
        eprintln!(
            "The ledger was restored, and who was erased since is erased again: {} destroyed, {} \
             that the ledger did not know told to it, {} dropped from the quarantine.",
            counted(alive, "key"),
            counted(said, "erasure"),
            counted(rows, "row")
        );
        Ok(())
    }

    /// Drops what the quarantine holds of customers who were erased, and says how many rows.
    pub fn drop_rows_of_the_erased(&self) -> anyhow::Result<u64> {
        let vault = Arc::clone(self.book.vault());
        let (limit, now) = (crate::quarantine::store::LIMIT_BYTES, Timestamp::now());
        let store = Mutex::new(Quarantine::open(self.places.data(), vault, limit, now)?);
        let swept = self.runtime.block_on(drop_erased(&self.book, &store, &mut None))?;
        if swept.unjudged > 0 {
            eprintln!(
                "{} of the quarantine may be of erased customers: the mapping they were read with \
                 is gone. See `cxledger quarantine list`, and drop them.",
                counted(swept.unjudged, "row")
            );
        }
        Ok(swept.dropped)
    }

    /// Opens a data directory to read, also beside a process that writes it: it shows what was
    /// durable at that moment.
    pub fn to_read(data: &Path) -> anyhow::Result<Self> {
        let places = Places::new(data);
        if let Some(settings) = elsewhere::chosen()? {
            keys_are_there(&places)?;
            let runtime = Runtime::new()?;
            let settings = settings.with_marks(places.marks(false));
            let ledger = runtime.block_on(KurrentLedger::connect(settings))?;
            let vault = Vault::open_read_only(&places.keys(), &config::key_source())?;
            // A server that was killed leaves its address behind, but not its lock.
            let node = File::open(places.node()).ok();
            let beside = node.is_some_and(|node| node.try_lock_shared().is_err());
            let served = beside.then(|| places.server_address()).flatten();
            let opened = Self { served, ..Self::over(ledger, vault, runtime, places) };
            opened.review(false)?;
            return Ok(opened);
        }
        places.ledger_is_there()?;
        if places.restored().exists() {
            bail!(
                "{} was restored from a backup, and its erasures are not repeated yet: start \
                 `cxledger serve{}` once",
                data.display(),
                data_option(data)
            );
        }
        let (log, report) = EmbeddedLog::open_read_only(&places.ledger())?;
        keys_are_there(&places)?;
        let vault = Vault::open_read_only(&places.keys(), &config::key_source())?;
        // A server that was killed leaves its address behind, but not its lock.
        let served = report.beside_a_writer.then(|| places.server_address()).flatten();
        Ok(Self { served, ..Self::of(log, vault, places)? })
    }

    fn of(log: EmbeddedLog, vault: Vault, places: Places) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let book = Book::new(Arc::new(log.clone()), Arc::new(vault));
        Ok(Self { book, log: Some(log), runtime, places, served: None, _node: None })
    }
}

fn vault_to_write(places: &Places) -> anyhow::Result<Vault> {
    match Vault::open(&places.keys(), &config::key_source()) {
        Err(VaultError::Locked { .. }) => bail!(in_use(places.data(), places)),
        other => Ok(other?),
    }
}

/// A ledger without its keys is not opened: a new key store could not open what is sealed, and
/// what it seals the old one could not.
fn keys_are_there(places: &Places) -> anyhow::Result<()> {
    let keys = places.keys();
    if !keys.join(STORE_FILE).exists() {
        bail!(
            "the ledger's keys are missing: put the backup of the directory keys into {}, then try \
             again",
            keys.display()
        );
    }
    Ok(())
}

/// What to do where a server has the data directory.
fn in_use(data: &Path, places: &Places) -> String {
    let server = std::fs::read_to_string(places.server()).unwrap_or_default();
    let who = match server.trim() {
        "" => "another process".to_owned(),
        address => format!("the server at {address}"),
    };
    format!("{} is in use by {who}: stop it, run this command, and start it again", data.display())
}
