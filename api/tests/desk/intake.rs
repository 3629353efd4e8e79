//! An intake in memory: knows two types, takes each fact once.

#![allow(clippy::unwrap_used)] // a test may panic

use std::collections::HashMap;
use std::sync::Mutex;

use cx_api::ingest::{CloudEvent, Intake, IntakeError, Outcome};
use cx_model::Position;
use futures::future::BoxFuture;
use uuid::Uuid;

#[derive(Default)]
pub struct Held {
    facts: Mutex<HashMap<Uuid, u64>>,
}

impl Intake for Held {
    fn take(&self, items: Vec<CloudEvent>) -> BoxFuture<'_, Result<Vec<Outcome>, IntakeError>> {
        let mut facts = self.facts.lock().unwrap();
        let take = |event: CloudEvent| {
            if event.source == "/busy" {
                return Err(IntakeError::Busy);
            }
            if event.source == "/twice" {
                return Ok(Outcome::Conflict { reason: "came before with other content".into() });
            }
            if !matches!(event.event_name(), Some("InteractionRecorded" | "CustomerRegistered")) {
                return Ok(Outcome::Quarantined { reason: "the type is not known".into() });
            }
            let next = facts.len() as u64 + 1;
            if let Some(first) = facts.get(&event.fact_id()) {
                return Ok(Outcome::Repeated { position: Position::new(*first) });
            }
            facts.insert(event.fact_id(), next);
            Ok(Outcome::Taken { position: Position::new(next) })
        };
        Box::pin(std::future::ready(items.into_iter().map(take).collect()))
    }
}
