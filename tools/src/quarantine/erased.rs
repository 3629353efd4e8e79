//! Rows of customers who were erased: they are let go, wherever they came from.
//!
//! A row is sealed with the ledger's own key, which no erasure destroys. So who is erased would live
//! on in the rows that could not be taken, and in those that a restored backup brings back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cx_ledger::Book;
use cx_model::CustomerId;
use uuid::Uuid;

use super::store::{Entry, Quarantine, Settled};
use crate::import::mapping::{Customers, Mapping};
use crate::import::prepare::{Who, who};
use crate::import::row::Row;

/// Drops the rows of customers who were erased, and says how many there were. The lock is held
/// while rows are read and dropped, not while the ledger is asked.
pub async fn drop_erased(book: &Book, store: &Mutex<Quarantine>) -> anyhow::Result<u64> {
    if book.vault().counts().destroyed == 0 || locked(store).is_empty() {
        return Ok(0);
    }
    let (entries, mappings) = read(&locked(store))?;
    let mut erased = Vec::new();
    for entry in &entries {
        let Some(mapping) = mappings.get(&entry.mapping_digest) else { continue };
        for customer in customers(book, mapping, entry).await? {
            if book.vault().is_erased(customer) {
                erased.push(entry.id);
                break;
            }
        }
    }
    settle(&mut locked(store), &erased)?;
    Ok(erased.len() as u64)
}

fn locked(store: &Mutex<Quarantine>) -> MutexGuard<'_, Quarantine> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

fn settle(store: &mut Quarantine, ids: &[Uuid]) -> anyhow::Result<()> {
    if ids.is_empty() { Ok(()) } else { store.settle(ids, Settled::Dropped) }
}

type Read = (Vec<Entry>, HashMap<String, Mapping>);

fn read(store: &Quarantine) -> anyhow::Result<Read> {
    let entries = store.entries()?;
    let mut mappings = HashMap::new();
    for entry in &entries {
        if !mappings.contains_key(&entry.mapping_digest)
            && let Ok(text) = store.mapping(&entry.mapping_digest)
            && let Ok(mapping) = Mapping::parse(&text)
        {
            mappings.insert(entry.mapping_digest.clone(), mapping);
        }
    }
    Ok((entries, mappings))
}

/// Whom a row may be about. In a row that could not be read any value can be the customer's.
async fn customers(
    book: &Book,
    mapping: &Mapping,
    entry: &Entry,
) -> anyhow::Result<Vec<CustomerId>> {
    let mut found = Vec::new();
    if let (true, Customers::Known { scheme, .. }) = (entry.unread, &mapping.customers) {
        for (_, value) in entry.values.iter().filter(|(_, value)| !value.trim().is_empty()) {
            found.extend(book.holder(scheme, value).await?);
        }
    }
    let row = Row::of_pairs(entry.line, &entry.values, &mapping.columns);
    let system = mapping.system.needed(&row).unwrap_or_default();
    let source = entry.source.as_deref().unwrap_or_default();
    match who(&mapping.customers, &row, system, source) {
        Ok(Who::Anonymous(customer)) => found.push(customer),
        Ok(Who::Known(known)) => {
            let identifier = &known.identifier;
            found.extend(book.holder(&identifier.scheme, &identifier.value).await?);
        }
        // It does not say whose it is.
        Err(_) => {}
    }
    Ok(found)
}
