//! Rows of customers who were erased: they are let go, wherever they came from.
//!
//! A row is sealed with the ledger's own key, which no erasure destroys. So who is erased would live
//! on in the rows that could not be taken, and in those that a restored backup brings back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cx_ledger::Book;
use cx_model::CustomerId;
use uuid::Uuid;

use super::store::{Entry, Quarantine, Settled};
use crate::import::mapping::{Customers, Mapping};
use crate::import::prepare::{Who, subject_of, who};
use crate::import::row::Row;

/// What was judged before: a row that was put in since is judged though nobody was erased since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// How many keys were destroyed then.
    erased: u64,
    /// How many of the quarantine's files there were.
    places: usize,
}

/// What became of the rows that were judged.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Rows of customers who were erased, which are gone now.
    pub dropped: u64,
    /// Rows that stay because the mapping they were read with is gone.
    pub unjudged: u64,
}

/// Drops the rows of customers who were erased. The lock is held while rows of a file are read and
/// dropped, not while the ledger is asked. After an error what was judged is as it was before.
pub async fn drop_erased(
    book: &Book,
    store: &Mutex<Quarantine>,
    judged: &mut Option<Judged>,
) -> anyhow::Result<Swept> {
    let vault = Arc::clone(book.vault());
    let erased = tokio::task::spawn_blocking(move || vault.erasures()).await??;
    let now = Judged { erased, places: locked(store).places() };
    let from = judged.filter(|before| before.erased == erased).map_or(0, |before| before.places);
    let mut swept = Swept::default();
    let mut mappings = HashMap::new();
    // While nobody is erased there is nobody's row to drop.
    for place in from..if erased == 0 { from } else { now.places } {
        let entries = read(&locked(store), place, &mut mappings)?;
        let mut theirs = Vec::new();
        for entry in &entries {
            if entry.is_of_the_erased() {
                theirs.push(entry.id);
                continue;
            }
            let Some(mapping) = &mappings[&entry.mapping_digest] else {
                swept.unjudged += 1;
                continue;
            };
            for customer in customers(book, mapping, entry).await? {
                if book.vault().knows_erased(customer)? {
                    theirs.push(entry.id);
                    break;
                }
            }
        }
        settle(&mut locked(store), &theirs)?;
        swept.dropped += theirs.len() as u64;
    }
    *judged = Some(now);
    Ok(swept)
}

fn locked(store: &Mutex<Quarantine>) -> MutexGuard<'_, Quarantine> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

fn settle(store: &mut Quarantine, ids: &[Uuid]) -> anyhow::Result<()> {
    if ids.is_empty() { Ok(()) } else { store.settle(ids, Settled::Dropped) }
}

/// The mappings that rows were read with, by their digest; none where it is gone.
type Mappings = HashMap<String, Option<Mapping>>;

/// The rows of a file, and the mappings they were read with.
fn read(store: &Quarantine, place: usize, mappings: &mut Mappings) -> anyhow::Result<Vec<Entry>> {
    let entries = store.entries_in(place)?;
    for Entry { mapping_digest, .. } in &entries {
        if !mappings.contains_key(mapping_digest) {
            let text = store.mapping(mapping_digest).ok();
            let mapping = text.and_then(|text| Mapping::parse(&text).ok());
            mappings.insert(mapping_digest.clone(), mapping);
        }
    }
    Ok(entries)
}

/// Whom a row may be about. In a row that could not be read any value can be the customer's.
async fn customers(
    book: &Book,
    mapping: &Mapping,
    entry: &Entry,
) -> anyhow::Result<Vec<CustomerId>> {
    let mut found = Vec::new();
    if entry.unread {
        for (_, value) in entry.values.iter().filter(|(_, value)| !value.trim().is_empty()) {
            match &mapping.customers {
                Customers::Known { scheme, .. } => found.extend(book.holder(scheme, value).await?),
                Customers::Subject { kind, .. } => {
                    if let Some(who) = subject_of(value, *kind) {
                        found.extend(customer(book, who).await?);
                    }
                }
                Customers::Anonymous(_) => {}
            }
        }
    }
    let row = Row::of_pairs(entry.line, &entry.values, &mapping.columns);
    let system = mapping.system.needed(&row).unwrap_or_default();
    let source = entry.source.as_deref().unwrap_or_default();
    // One that is at fault does not say whose it is.
    if let Ok(who) = who(&mapping.customers, &row, system, source) {
        found.extend(customer(book, who).await?);
    }
    Ok(found)
}

async fn customer(book: &Book, who: Who) -> anyhow::Result<Option<CustomerId>> {
    match who {
        Who::Anonymous(customer) => Ok(Some(customer)),
        Who::Known(known) => {
            Ok(book.holder(&known.identifier.scheme, &known.identifier.value).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use cx_ledger::vault::STORE_FILE;
    use cx_ledger::{KeySource, MemoryLedger, Vault};
    use futures::future::join;
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn keys_are_counted_without_holding_up_what_else_the_runtime_does() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::open_shared(directory.path(), &KeySource::DataDirectory).unwrap();
        vault.ensure(&[CustomerId(Uuid::from_u128(1))]).unwrap();
        // A slot that says nothing may be about to be written, so the count waits for the lock.
        let keys = File::options().write(true).open(directory.path().join(STORE_FILE)).unwrap();
        let length = keys.metadata().unwrap().len();
        keys.write_all_at(&[0x5a; 64], length - 128).unwrap();
        let others = File::options().write(true).open(directory.path().join("vault.lock")).unwrap();
        others.lock().unwrap();
        let vault = Arc::new(vault);
        let quarantine = Quarantine::look(directory.path(), vault.clone(), Timestamp::now());
        let store = Mutex::new(quarantine.unwrap());
        let book = Book::new(Arc::new(MemoryLedger::new()), vault);
        let unlock = async { others.unlock().unwrap() };
        let (swept, ()) = join(drop_erased(&book, &store, &mut None), unlock).await;
        assert_eq!(swept.unwrap(), Swept::default());
    }
}
