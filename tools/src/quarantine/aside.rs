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
        let mut erased = None;
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            every.tick().await;
            let now = book.vault().counts().destroyed;
            if erased == Some(now) {
                continue;
            }
            match drop_erased(&book, &self.store).await {
                Ok(0) => erased = Some(now),
                Ok(rows) => {
                    tracing::info!(rows, "rows of erased customers left the quarantine");
                    erased = Some(now);
                }
                Err(error) => tracing::warn!("rows of erased customers stay for now: {error:#}"),
            }
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
