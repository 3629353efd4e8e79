//! What becomes of a group's events, and how far the group is.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

use super::super::fault::Fault;
use super::super::store::{Store, system_event};
use super::consumers::{Message, Origin};
use super::group::Group;
use super::settings::Definition;

/// How many parked events are read ahead when they are told again.
const REPLAYED: usize = 500;

/// How far a group is, as the ledger keeps it.
#[derive(Serialize, Deserialize)]
struct Progress {
    made: Uuid,
    /// The place of the first event that is not done.
    next: u64,
}

/// The place that a group noted last, if it did.
pub(super) async fn noted(store: &Store, definition: &Definition) -> Result<Option<u64>, Fault> {
    let last = store.last(&definition.key.own("checkpoint")?).await?;
    let progress: Option<Progress> =
        last.and_then(|event| serde_json::from_slice(&event.data).ok());
    Ok(progress.filter(|noted| noted.made == definition.made).map(|noted| noted.next))
}

impl Group {
    pub(super) async fn done(&mut self, origin: Origin) {
        match origin {
            Origin::Read(place) => {
                self.open.remove(&place);
                self.fresh += 1;
            }
            Origin::Parked(number) => {
                if let Err(fault) = self.parked.done(number).await {
                    tracing::warn!(%fault, "a replayed event stays parked");
                }
            }
        }
    }

    pub(super) async fn park(&mut self, message: Message, reason: &str) {
        match self.parked.park(message.original(), reason).await {
            Ok(()) => self.done(message.origin).await,
            Err(fault) => {
                tracing::warn!(%fault, "an event could not be parked and is told again");
                self.again.push_back(message);
            }
        }
    }

    pub(super) async fn retry(&mut self, mut message: Message) {
        if message.retries >= self.definition.settings.max_retries {
            self.park(message, "told again as often as the group allows").await;
        } else {
            message.retries += 1;
            self.again.push_back(message);
        }
    }

    /// Reads more of what is to be told again, while there is somebody to tell and room for it.
    pub(super) async fn replay(&mut self) {
        while self.parked.is_asked() && !self.consumers.is_empty() && self.again.has_room(REPLAYED)
        {
            match self.parked.replay().await {
                Ok(found) => self.again.extend(found.into_iter().map(|(number, event)| {
                    let origin = Origin::Parked(number);
                    Message { event, link: None, origin, retries: 0 }
                })),
                // They are read again when a consumer comes back.
                Err(fault) => self.end(&fault.into()).await,
            }
        }
    }

    pub(super) async fn tick(&mut self) {
        let now = Instant::now();
        let late: Vec<Message> =
            self.consumers.iter_mut().flat_map(|consumer| consumer.overdue(now)).collect();
        for message in late {
            self.retry(message).await;
        }
        let closed: Vec<u64> = self
            .consumers
            .iter()
            .filter(|consumer| consumer.sender.is_closed())
            .map(|consumer| consumer.number)
            .collect();
        for number in closed {
            self.gone(number);
        }
        let settings = &self.definition.settings;
        let due = self.noted_at.elapsed() >= settings.checkpoint_after();
        if due && (self.fresh >= settings.min_checkpoint() || self.consumers.is_empty()) {
            self.note().await;
        }
    }

    pub(super) async fn note_if_many(&mut self) {
        if self.fresh >= self.definition.settings.max_checkpoint() {
            self.note().await;
        }
    }

    /// The place of the first event that is not done.
    pub(super) fn done_before(&self) -> u64 {
        self.open.first().copied().unwrap_or(self.source.place())
    }

    /// Notes in the ledger how far the group is.
    pub(super) async fn note(&mut self) {
        let next = self.done_before();
        if self.fresh == 0 || self.noted == Some(next) {
            return;
        }
        let progress = Progress { made: self.definition.made, next };
        let Ok(data) = serde_json::to_vec(&progress) else { return };
        let Ok(stream) = self.definition.key.own("checkpoint") else { return };
        let append = system_event(stream, "$SubscriptionCheckpoint", data.into());
        match self.store.ledger().append(append).await {
            Ok(_) => {
                self.noted = Some(next);
                self.fresh = 0;
            }
            Err(error) => tracing::warn!(%error, "the progress of a group is not noted yet"),
        }
        self.noted_at = Instant::now();
    }

    /// Ends with every consumer, and notes the progress.
    pub(super) async fn end(&mut self, status: &Status) {
        for consumer in &self.consumers {
            let _ = consumer.sender.try_send(Err(status.clone()));
        }
        let numbers: Vec<u64> = self.consumers.iter().map(|consumer| consumer.number).collect();
        for number in numbers {
            self.gone(number);
        }
        self.note().await;
    }
}
