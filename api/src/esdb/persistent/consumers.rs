//! The consumers of a group and what each of them has.

use std::collections::{BTreeSet, HashMap, VecDeque};

use cx_ledger::{Foreign, RawEvent};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

use super::super::event::{Ids, wire};
use super::super::wire::persistent::{ConsumedEvent, ConsumerAnswer, ConsumerResp, Retries};
use super::super::wire::streams::EventPosition;
use super::queue::QUEUED_BYTES;

/// An event on its way to a consumer.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// What is told.
    pub event: RawEvent,
    /// The link that led to it.
    pub link: Option<RawEvent>,
    pub origin: Origin,
    /// How often it was told before.
    pub retries: i32,
}

/// Where a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// It was parked, with this number.
    Parked(u64),
    /// It was read at this place.
    Read(u64),
}

impl Message {
    /// The event as it stands where the group reads: the link, if there is one.
    pub fn original(&self) -> &RawEvent {
        self.link.as_ref().unwrap_or(&self.event)
    }

    /// How many bytes it takes up.
    pub fn bytes(&self) -> usize {
        let size = |event: &RawEvent| event.data.len() + event.metadata.len();
        size(&self.event) + self.link.as_ref().map_or(0, size)
    }

    fn id(&self) -> Uuid {
        let original = self.original();
        Foreign::of(original).map_or(original.id, |foreign| foreign.id)
    }

    fn tell(&self, ids: Ids) -> ConsumerResp {
        let event = ConsumedEvent {
            event: Some(wire(&self.event, ids)),
            link: self.link.as_ref().map(|link| wire(link, ids)),
            position: Some(EventPosition::Commit(self.original().position.commit())),
            retries: Some(Retries::Count(self.retries)),
        };
        ConsumerResp { content: Some(ConsumerAnswer::Event(event)) }
    }
}

/// What is sent to a consumer.
pub(super) type Told = Result<ConsumerResp, Status>;

/// One consumer.
pub(super) struct Consumer {
    pub number: u64,
    pub ids: Ids,
    pub slots: usize,
    pub name: String,
    pub sender: mpsc::Sender<Told>,
    pub total: i64,
    /// The messages it has, by the ids of their events.
    has: HashMap<Uuid, VecDeque<(Message, Option<Instant>)>>,
    pub count: usize,
    bytes: usize,
}

impl Consumer {
    pub fn new(
        number: u64,
        ids: Ids,
        slots: usize,
        name: String,
        sender: mpsc::Sender<Told>,
    ) -> Self {
        Self { number, ids, slots, name, sender, total: 0, has: HashMap::new(), count: 0, bytes: 0 }
    }

    /// Whether it takes one more.
    pub fn has_room(&self) -> bool {
        self.count < self.slots && self.bytes < QUEUED_BYTES
    }

    /// Hands it a message; back if it is gone.
    pub fn hand(&mut self, message: Message, until: Option<Instant>) -> Result<(), Box<Message>> {
        if self.sender.try_send(Ok(message.tell(self.ids))).is_err() {
            return Err(Box::new(message));
        }
        self.bytes += message.bytes();
        self.has.entry(message.id()).or_default().push_back((message, until));
        self.count += 1;
        self.total += 1;
        Ok(())
    }

    /// Takes a message back that it has.
    pub fn take(&mut self, id: Uuid) -> Option<Message> {
        let messages = self.has.get_mut(&id)?;
        let (message, _) = messages.pop_front()?;
        if messages.is_empty() {
            self.has.remove(&id);
        }
        self.count -= 1;
        self.bytes -= message.bytes();
        Some(message)
    }

    /// Takes back what it has had for too long.
    pub fn overdue(&mut self, now: Instant) -> Vec<Message> {
        let late = |until: &Option<Instant>| until.is_some_and(|until| until <= now);
        let ids: BTreeSet<Uuid> = self
            .has
            .iter()
            .filter(|(_, messages)| messages.iter().any(|(_, until)| late(until)))
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// Takes back everything.
    pub fn all(&mut self) -> Vec<Message> {
        (self.count, self.bytes) = (0, 0);
        self.has.drain().flat_map(|(_, messages)| messages).map(|(message, _)| message).collect()
    }
}
