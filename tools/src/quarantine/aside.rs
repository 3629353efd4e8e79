//! The quarantine as the ingest endpoint fills it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cx_api::ingest::CloudEvent;
use cx_api::intake::Aside;
use cx_ledger::{Book, Vault};
use cx_model::{ImportId, derived_id};
use jiff::Timestamp;

use super::erased::drop_erased;
use super::store::{Entry, LIMIT_BYTES, Quarantine};
use crate::import::json::flatten;
use crate::import::load_mapping;
use crate::import::run::MappingText;

/// The mapping that quarantined events are taken again with.
const MAPPING: &str = "cloudevents";

/// How often a server looks whether somebody was erased of whom rows are in the quarantine.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Puts events that could not be taken into the quarantine of a data directory.
pub struct IngestAside {
    store: Mutex<Quarantine>,
    mapping: MappingText,
}

impl IngestAside {
    /// Of a data directory.
    pub fn open(data: &Path, vault: Arc<Vault>) -> anyhow::Result<Self> {
        let store = Quarantine::open(data, vault, LIMIT_BYTES, Timestamp::now())?;
        Ok(Self { store: Mutex::new(store), mapping: load_mapping(Path::new(MAPPING))? })
    }

    /// Drops the rows of customers who were erased, now and again while the server runs: an
    /// erasure over the API does not wait for it.
    pub async fn drop_erased_rows(self: Arc<Self>, book: Book) {
        let mut known = None;
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            every.tick().await;
            self.look(&book, &mut known).await;
        }
    }

    /// Drops rows if others are erased than were known to be.
    async fn look(&self, book: &Book, known: &mut Option<u64>) {
        let erased = Some(book.vault().counts().destroyed);
        if *known == erased {
            return;
        }
        match drop_erased(book, &self.store).await {
            Ok(rows) => {
                *known = erased;
                if rows > 0 {
                    tracing::info!(rows, "rows of erased customers left the quarantine");
                }
            }
            // It is tried again at the next look.
            Err(error) => tracing::warn!("rows of erased customers stay for now: {error:#}"),
        }
    }

    fn put(&self, event: &CloudEvent, reason: &str) -> anyhow::Result<()> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.keep_mapping(&self.mapping.digest, &self.mapping.text)?;
        let mut values = vec![
            ("id".to_owned(), event.id.clone()),
            ("source".to_owned(), event.source.clone()),
            ("type".to_owned(), event.event_name().unwrap_or(&event.event_type).to_owned()),
        ];
        if let Some(subject) = &event.subject {
            values.push(("subject".to_owned(), subject.clone()));
        }
        if let Some(time) = event.time {
            values.push(("time".to_owned(), time.to_string()));
        }
        flatten(&mut values, "data".to_owned(), event.data.clone());
        store.put(Entry {
            id: derived_id(&["quarantine", "ingest", &event.source, &event.id]),
            import: ImportId(derived_id(&["ingest"])),
            at: Timestamp::now(),
            file: "POST /events".to_owned(),
            file_digest: String::new(),
            line: 0,
            column: None,
            reason: reason.to_owned(),
            mapping: MAPPING.to_owned(),
            mapping_digest: self.mapping.digest.clone(),
            source: Some(event.id.clone()),
            unread: false,
            values,
        })?;
        store.write()
    }
}

impl Aside for IngestAside {
    fn keep(&self, event: &CloudEvent, reason: &str) -> Result<(), String> {
        self.put(event, reason).map_err(|error| format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use cx_ledger::MemoryLedger;
    use cx_model::CustomerId;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_was_sent_of_a_customer_leaves_with_their_erasure() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::in_memory());
        let book = Book::new(Arc::new(MemoryLedger::new()), vault.clone());
        let aside = IngestAside::open(directory.path(), vault.clone()).unwrap();
        let customers = [1, 2].map(|n| CustomerId(uuid::Uuid::from_u128(n)));
        vault.ensure(&customers).unwrap();
        for (n, customer) in customers.iter().enumerate() {
            let event = json!({
                "specversion": "1.0", "id": n.to_string(), "source": "crm",
                "type": "cx.InteractionRecorded", "subject": customer.to_string(),
                "data": { "kind": "call", "channel": "pigeon" },
            });
            let event = CloudEvent::from_json(event).unwrap();
            aside.keep(&event, "no such channel").unwrap();
        }
        let mut known = None;
        let rows = || aside.store.lock().unwrap().len();
        aside.look(&book, &mut known).await;
        assert_eq!(rows(), 2);
        vault.destroy(customers[0]).unwrap();
        aside.look(&book, &mut known).await;
        assert_eq!((rows(), known), (1, Some(1)));
        let left = Quarantine::look(directory.path(), vault, Timestamp::now()).unwrap();
        let left = left.entries().unwrap();
        assert!(left[0].values.iter().any(|(_, value)| *value == customers[1].to_string()));
    }
}
