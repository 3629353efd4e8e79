//! The quarantine as the ingest endpoint fills it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cx_api::ingest::CloudEvent;
use cx_api::intake::{Aside, ERASED as REFUSED_ERASED};
use cx_ledger::{Book, Vault};
use cx_model::{ImportId, derived_id};
use jiff::Timestamp;

use super::erased::{Judged, Swept, drop_erased};
use super::store::{Entry, LIMIT_BYTES, Quarantine};
use crate::import::intake::ERASED;
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
        let mut judged = None;
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            every.tick().await;
            self.look(&book, &mut judged).await;
        }
    }

    /// Drops rows if others are erased than were, and of those put in since.
    async fn look(&self, book: &Book, judged: &mut Option<Judged>) {
        match drop_erased(book, &self.store, judged).await {
            Ok(Swept { dropped, unjudged }) => {
                if dropped > 0 {
                    tracing::info!(rows = dropped, "rows of erased customers left the quarantine");
                }
                if unjudged > 0 {
                    tracing::warn!(
                        rows = unjudged,
                        "rows of the quarantine may be of erased customers: the mapping they were \
                         read with is gone; see `cxledger quarantine list` and drop them"
                    );
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
            reason: if reason == REFUSED_ERASED { ERASED } else { reason }.to_owned(),
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
    use cx_ledger::vault::{KeySource, STORE_FILE};
    use cx_model::CustomerId;
    use serde_json::json;

    use super::*;

    fn sent(n: u32, customer: CustomerId) -> CloudEvent {
        let event = json!({
            "specversion": "1.0", "id": n.to_string(), "source": "crm",
            "type": "cx.InteractionRecorded", "subject": customer.to_string(),
            "data": { "kind": "call", "channel": "pigeon" },
        });
        CloudEvent::from_json(event).unwrap()
    }

    fn customer(n: u32) -> CustomerId {
        CustomerId(uuid::Uuid::from_u128(n.into()))
    }

    fn book(vault: &Arc<Vault>) -> Book {
        Book::new(Arc::new(MemoryLedger::new()), vault.clone())
    }

    #[tokio::test]
    async fn what_was_sent_of_a_customer_leaves_with_their_erasure() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::in_memory());
        let book = book(&vault);
        let aside = IngestAside::open(directory.path(), vault.clone()).unwrap();
        vault.ensure(&[1, 2].map(customer)).unwrap();
        for n in [1, 2] {
            aside.keep(&sent(n, customer(n)), "no such channel").unwrap();
        }
        let mut judged = None;
        let rows = || aside.store.lock().unwrap().len();
        aside.look(&book, &mut judged).await;
        assert_eq!(rows(), 2);
        vault.destroy(customer(1)).unwrap();
        aside.look(&book, &mut judged).await;
        assert_eq!(rows(), 1);
        let left = Quarantine::look(directory.path(), vault, Timestamp::now()).unwrap();
        let left = left.entries().unwrap();
        assert!(left[0].values.iter().any(|(_, value)| *value == customer(2).to_string()));
    }

    #[tokio::test]
    async fn what_is_sent_of_a_customer_after_their_erasure_leaves_at_the_next_look() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::in_memory());
        let book = book(&vault);
        let aside = IngestAside::open(directory.path(), vault.clone()).unwrap();
        vault.ensure(&[1, 2].map(customer)).unwrap();
        vault.destroy(customer(1)).unwrap();
        let mut judged = None;
        aside.look(&book, &mut judged).await;
        aside.keep(&sent(1, customer(1)), "no such channel").unwrap();
        aside.keep(&sent(2, customer(2)), "no such channel").unwrap();
        aside.keep(&sent(3, customer(1)), REFUSED_ERASED).unwrap();
        let entries = || aside.store.lock().unwrap().entries().unwrap();
        let refused = entries().pop().unwrap();
        assert_eq!((refused.reason.as_str(), refused.source), (ERASED, None));
        assert!(refused.values.is_empty(), "nothing of theirs is stored");
        aside.look(&book, &mut judged).await;
        let left: Vec<_> = entries().into_iter().map(|entry| entry.source).collect();
        assert_eq!(left, [Some("2".to_owned())]);
    }

    #[tokio::test]
    async fn keys_that_cannot_be_read_are_no_news_that_nobody_was_erased() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let open = || Vault::open_shared(&keys, &KeySource::DataDirectory).unwrap();
        let (vault, other) = (Arc::new(open()), open());
        let book = book(&vault);
        let aside = IngestAside::open(directory.path(), vault.clone()).unwrap();
        vault.ensure(&[customer(1)]).unwrap();
        aside.keep(&sent(1, customer(1)), "no such channel").unwrap();
        let mut judged = None;
        aside.look(&book, &mut judged).await;
        let before = judged.unwrap();
        other.destroy(customer(1)).unwrap();
        let away = directory.path().join("away");
        std::fs::rename(keys.join(STORE_FILE), &away).unwrap();
        aside.look(&book, &mut judged).await;
        assert_eq!((aside.store.lock().unwrap().len(), judged), (1, Some(before)));
        std::fs::rename(&away, keys.join(STORE_FILE)).unwrap();
        aside.look(&book, &mut judged).await;
        assert!(aside.store.lock().unwrap().is_empty());
    }
}
