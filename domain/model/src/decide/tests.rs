//! Decisions by example, and by generated sequences of commands.

mod examples;
mod generated;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::envelope::{Actor, Envelope};
use crate::ids::CustomerId;
use crate::position::Position;
use crate::stream::StreamName;

/// A stream in the making: commands that are accepted become its events.
#[derive(Default)]
struct Told {
    events: Vec<Recorded>,
}

impl Told {
    fn of(customer: u128, events: impl IntoIterator<Item = Event>) -> Self {
        let mut told = Self::default();
        for event in events {
            told.record(&CustomerId(Uuid::from_u128(customer)).stream(), event);
        }
        told
    }

    fn record(&mut self, stream: &StreamName, event: Event) {
        let revision = self.events.len() as u64;
        self.events.push(Recorded {
            ordinal: revision + 1,
            position: Position::new(revision + 1),
            stream: stream.clone(),
            revision,
            id: Uuid::from_u128(0xE000 + u128::from(revision)),
            recorded_at: Timestamp::UNIX_EPOCH,
            envelope: Envelope::new(Timestamp::UNIX_EPOCH, Actor::Customer { id: None }),
            event,
        });
    }

    /// Decides, and records what happens.
    fn give<C: Command>(&mut self, command: &C) -> Result<(), Refusal> {
        let stream = CustomerId(Uuid::from_u128(1)).stream();
        for event in command.decide(&C::State::of(&self.events))? {
            self.record(&stream, event);
        }
        Ok(())
    }

    fn last_id(&self) -> Uuid {
        self.events.last().expect("something was told").id
    }
}
