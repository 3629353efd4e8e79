//! What surrounds every event: two times, who did it, where it was known first, what led to it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::Event;
use crate::ids::{AgentId, CustomerId};
use crate::position::Position;
use crate::stream::StreamName;
pub use crate::vocabulary::Precision;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "ActorForm")]
pub enum Actor {
    /// The customer.
    Customer {
        /// Which; left out where it is the stream's own customer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<CustomerId>,
    },
    /// Someone who works for the organisation.
    Agent {
        /// Who.
        id: AgentId,
    },
    /// A program, by its name.
    System {
        /// Such as `import` or `crm`.
        name: String,
    },
}

/// An actor as it is written: read in one pass, without the copy that a tagged enum makes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActorForm {
    kind: ActorKind,
    #[serde(default)]
    id: Option<Uuid>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActorKind {
    Customer,
    Agent,
    System,
}

impl TryFrom<ActorForm> for Actor {
    type Error = &'static str;

    fn try_from(form: ActorForm) -> Result<Self, Self::Error> {
        match form {
            ActorForm { kind: ActorKind::Customer, id, name: None } => {
                Ok(Self::Customer { id: id.map(CustomerId) })
            }
            ActorForm { kind: ActorKind::Agent, id: Some(id), name: None } => {
                Ok(Self::Agent { id: AgentId(id) })
            }
            ActorForm { kind: ActorKind::System, id: None, name: Some(name) } => {
                Ok(Self::System { name })
            }
            _ => Err("a customer may have an id, an agent has an id, a system has a name"),
        }
    }
}

/// Where a fact was known first. System and id together are the fact's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The system.
    pub system: String,
    /// The fact's id there.
    pub id: String,
}

/// What surrounds an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// When it happened to the customer.
    pub occurred_at: Timestamp,
    /// How exactly that is known.
    pub precision: Precision,
    /// Who did it.
    pub actor: Actor,
    /// Where it was known first, for facts from elsewhere.
    pub source: Option<Source>,
    /// The conversation or run it belongs to.
    pub correlation: Option<Uuid>,
    /// The event that led to it.
    pub causation: Option<Uuid>,
}

impl Envelope {
    /// An exact time and an actor, nothing else known.
    pub fn new(occurred_at: Timestamp, actor: Actor) -> Self {
        Self {
            occurred_at,
            precision: Precision::Exact,
            actor,
            source: None,
            correlation: None,
            causation: None,
        }
    }
}

/// An event that is about to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its id; the same id is never appended twice.
    pub id: Uuid,
    /// What surrounds it.
    pub envelope: Envelope,
    /// What happened.
    pub event: Event,
}

/// An event as it was read from the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its number among all events, from 1 without gaps; rows and roots hold this.
    pub ordinal: u64,
    /// Where it stands in the order of commit; what users see.
    pub position: Position,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream, from 0.
    pub revision: u64,
    /// Its id.
    pub id: Uuid,
    /// When the ledger took it.
    pub recorded_at: Timestamp,
    /// What surrounds it.
    pub envelope: Envelope,
    /// What happened.
    pub event: Event,
}

impl Recorded {
    /// The customer whose stream this is.
    pub fn customer(&self) -> Option<CustomerId> {
        CustomerId::of_stream(&self.stream)
    }

    /// When it happened to the customer.
    pub fn occurred_at(&self) -> Timestamp {
        self.envelope.occurred_at
    }
}
