//! Events that were set aside: links in a stream of the group's, until they are told again.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use cx_ledger::{Append, Direction, Expected, Foreign, RawEvent};
use cx_model::StreamName;
use serde_json::json;
use uuid::Uuid;

use super::super::event::Ids;
use super::super::fault::Fault;
use super::super::links::Links;
use super::super::portion::READ_BYTES;
use super::super::state::LINK;
use super::super::store::Store;

/// The parked events of a group.
pub(super) struct Parked {
    store: Arc<Store>,
    stream: StreamName,
    /// The first that is parked.
    first: u64,
    /// The first that was not read to be told again.
    waiting: u64,
    /// The first that nobody asked to be told again.
    asked: u64,
    /// The revision of the next one.
    next: u64,
    /// Those that are being told again and are not done.
    replaying: BTreeSet<u64>,
}

impl Parked {
    pub async fn open(store: Arc<Store>, stream: StreamName) -> Result<Self, Fault> {
        let next = store.last_revision(&stream).await?.map_or(0, |last| last + 1);
        let state = store.state(&stream).await?;
        let first = state.first(next.saturating_sub(1)).min(next);
        Ok(Self {
            store,
            stream,
            first,
            waiting: first,
            asked: first,
            next,
            replaying: BTreeSet::new(),
        })
    }

    /// How many are parked and not being told again.
    pub fn count(&self) -> u64 {
        self.next - self.asked
    }

    /// Sets an event aside.
    pub async fn park(&mut self, event: &RawEvent, reason: &str) -> Result<(), Fault> {
        let target = format!("{}@{}", event.revision, event.stream);
        let metadata = json!({ "reason": reason }).to_string().into();
        let link = Foreign { id: Uuid::new_v4(), json: false, metadata };
        let events = vec![link.mark(&self.stream, LINK.into(), Bytes::from(target))];
        let stream = self.stream.clone();
        let append = Append { stream, expected: Expected::Any, events };
        let appended = self.store.ledger().append(append).await?;
        self.next = appended.revision.map_or(self.next, |revision| revision + 1);
        Ok(())
    }

    /// At most so many more of them are to be told again, oldest first.
    pub fn ask(&mut self, limit: u64) {
        self.asked = self.asked.saturating_add(limit).min(self.next);
    }

    /// Whether some are to be told again that were not read yet.
    pub fn is_asked(&self) -> bool {
        self.waiting < self.asked
    }

    /// The next of those that are to be told again, each with its number: as many as a read takes.
    /// What was found is never lost to a fault that comes after it.
    pub async fn replay(&mut self) -> Result<Vec<(u64, RawEvent)>, Fault> {
        let links = Links::new(&self.store, Ids::Text, true);
        let (ledger, forwards) = (self.store.ledger(), Direction::Forwards);
        let count = (self.asked - self.waiting).min(100) as usize;
        let read =
            ledger.read_stream_within(&self.stream, self.waiting, forwards, count, READ_BYTES);
        let read = read.await?;
        if read.is_empty() {
            self.waiting = self.asked;
        }
        let (mut found, mut bytes) = (Vec::new(), 0);
        for link in read {
            if bytes >= READ_BYTES {
                break;
            }
            let target = match links.target(&link).await {
                Ok(target) => target,
                // The next call meets the fault again; what was found is on its way.
                Err(_) if !found.is_empty() => break,
                Err(fault) => return Err(fault),
            };
            self.waiting = link.revision + 1;
            if let Some(event) = target {
                bytes += (event.data.len() + event.metadata.len()) as u64;
                self.replaying.insert(link.revision);
                found.push((link.revision, event));
            }
        }
        if let Err(fault) = self.forget().await {
            // What was found is told all the same; the next step takes more out at once.
            tracing::warn!(%fault, "parked events that are done stay parked for now");
        }
        Ok(found)
    }

    /// One that was told again is done, or parked anew.
    pub async fn done(&mut self, number: u64) -> Result<(), Fault> {
        self.replaying.remove(&number);
        self.forget().await
    }

    /// Takes what is done out of the parked ones.
    async fn forget(&mut self) -> Result<(), Fault> {
        let first = self.replaying.first().copied().unwrap_or(self.waiting);
        let all_done = self.replaying.is_empty() && !self.is_asked();
        // Each step is an event: not one for every event that is done.
        if first > self.first && (all_done || first - self.first >= 100) {
            self.store.truncate(&self.stream, first).await?;
            self.first = first;
        }
        Ok(())
    }

    /// Forgets all of them: the group is gone.
    pub async fn clear(&mut self) -> Result<(), Fault> {
        if self.next > self.first {
            self.store.truncate(&self.stream, self.next).await?;
            self.first = self.next;
        }
        Ok(())
    }
}
