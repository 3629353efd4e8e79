//! What the rows of a case add up to, to count the steps that break the order that ours keep.

use cx_model::decide::{CustomerState, State};
use cx_model::event::CustomerRegistered;
use cx_model::{Actor, CustomerId, CustomerKind, Envelope, Event, NewEvent, Position, Recorded};
use jiff::Timestamp;
use uuid::Uuid;

/// The events of one case so far.
pub struct History(CustomerState);

impl Default for History {
    fn default() -> Self {
        let mut state = CustomerState::default();
        let somebody = CustomerRegistered { kind: CustomerKind::Person, name: None };
        let envelope = Envelope::new(Timestamp::UNIX_EPOCH, Actor::System { name: String::new() });
        state.apply(&recorded(Uuid::nil(), envelope, somebody.into()));
        Self(state)
    }
}

impl History {
    /// Adds an event, and says whether a decision of ours would have refused it here: a step after
    /// the close, a second resolve.
    pub fn add(&mut self, new: &NewEvent) -> bool {
        let irregular = self.0.is_irregular(&new.event);
        self.0.apply(&recorded(new.id, new.envelope.clone(), new.event.clone()));
        irregular
    }
}

fn recorded(id: Uuid, envelope: Envelope, event: Event) -> Recorded {
    Recorded {
        ordinal: 0,
        position: Position::START,
        stream: CustomerId(Uuid::nil()).stream(),
        revision: 0,
        id,
        recorded_at: envelope.occurred_at,
        envelope,
        event,
    }
}
