//! The importer on the real files, against figures that an independent program computed, and on
//! files that are not as they should be.

mod beforehand;
mod hostile;
mod mappings;
mod page;
mod real;
mod reference;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cx_ledger::book::Book;
use cx_ledger::vault::Vault;
use cx_ledger::{Direction, Ledger, MemoryLedger, decode};
use cx_model::{Event, Position, Recorded};
use indicatif::ProgressBar;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::counts::Counts;
use super::file::import_file;
use super::run::{Data, MappingText};
use super::shipped;
use crate::quarantine::store::{LIMIT_BYTES, Quarantine};

/// A ledger in memory and a quarantine on the disk.
pub(crate) struct House {
    pub(crate) book: Book,
    pub(crate) runtime: Runtime,
    pub(crate) directory: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let vault = Arc::new(Vault::in_memory());
        let book = Book::new(Arc::new(MemoryLedger::new()), vault);
        Self { book, runtime: Runtime::new().unwrap(), directory: TempDir::new().unwrap() }
    }

    pub(crate) fn data(&self) -> Data<'_> {
        Data { book: &self.book, runtime: &self.runtime }
    }

    pub(crate) fn quarantine(&self) -> Quarantine {
        let vault = self.book.vault().clone();
        Quarantine::open(self.directory.path(), vault, LIMIT_BYTES, Timestamp::now()).unwrap()
    }

    pub(crate) fn import(&self, file: &Path, mapping: &str) -> anyhow::Result<Counts> {
        let mapping = MappingText::parse(mapping.to_owned())?;
        let bar = ProgressBar::hidden();
        let mut quarantine = self.quarantine();
        let counts = import_file(self.data(), file, &mapping, &mut quarantine, &bar)?.counts;
        assert_eq!(counts.read, counts.taken + counts.repeated + counts.quarantined);
        Ok(counts)
    }

    /// Imports these bytes.
    pub(crate) fn import_bytes(&self, bytes: &[u8], mapping: &str) -> anyhow::Result<Counts> {
        let file = self.directory.path().join("file");
        std::fs::write(&file, bytes).unwrap();
        self.import(&file, mapping)
    }

    /// Every event, in the order of the ledger, personal values in the clear.
    pub(crate) fn events(&self) -> Vec<Recorded> {
        let ledger: &Arc<dyn Ledger> = self.book.ledger();
        let read = ledger.read_all(Position::START, Direction::Forwards, usize::MAX);
        let raw = self.runtime.block_on(read).unwrap();
        let open = |raw| {
            let mut event = decode(raw).unwrap();
            self.book.open(&mut event).unwrap();
            event
        };
        raw.iter().map(open).collect()
    }
}

/// The events by customer, in the order of the ledger.
fn by_customer(events: &[Recorded]) -> HashMap<String, Vec<&Recorded>> {
    let mut customers: HashMap<String, Vec<&Recorded>> = HashMap::new();
    for event in events.iter().filter(|event| event.customer().is_some()) {
        customers.entry(event.stream.as_str().to_owned()).or_default().push(event);
    }
    customers
}

fn count(events: &[Recorded], event_type: &str) -> usize {
    events.iter().filter(|event| event.event.event_type() == event_type).count()
}

fn bodies<'a, T: 'a>(events: &'a [Recorded], pick: fn(&'a Event) -> Option<&'a T>) -> Vec<&'a T> {
    events.iter().filter_map(|event| pick(&event.event)).collect()
}

fn shipped_mapping(name: &str) -> &'static str {
    shipped::named(name).unwrap()
}

/// A file of the shared data, or nothing, said on standard error, where there is none.
fn real(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CX_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    let required = std::env::var_os("CX_DATA_REQUIRED").is_some_and(|value| value == "1");
    assert!(!required, "{} is not there, and CX_DATA_REQUIRED says it must be", file.display());
    eprintln!("skipped: {} is not there; CX_DATA names the folder", file.display());
    None
}
