//! One thing that happened, as a timeline shows it.

use cx_model::event as e;
use cx_model::{CaseId, Channel, Direction, Event, Recorded, Stage, TouchpointId};
use serde::{Deserialize, Serialize, Serializer};

use crate::shown;

/// Where an entry stands: microseconds since the Unix epoch when it occurred, then its ordinal.
pub type Place = (i64, u64);

/// Whether an entry still counts.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum,
)]
pub enum EntryStatus {
    /// As it was recorded.
    #[default]
    AsRecorded,
    /// Corrected later; the entry shows what is right.
    Corrected,
    /// Recorded by mistake: it never happened, or not to this customer.
    Voided,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since the Unix epoch.
    #[serde(serialize_with = "shown::time")]
    pub occurred_at: i64,
    /// The event's number in the ledger.
    pub ordinal: u64,
    /// The event's place in the customer's stream.
    pub revision: u64,
    /// Microseconds since the Unix epoch.
    #[serde(serialize_with = "shown::time")]
    pub recorded_at: i64,
    /// The event's type, as its place in the list of types; unknown types stand past its end.
    #[serde(serialize_with = "type_name")]
    pub kind: u16,
    /// By which way.
    pub channel: Option<Channel>,
    /// Who came to whom.
    pub direction: Option<Direction>,
    /// Where in the relationship.
    pub stage: Option<Stage>,
    /// Where.
    pub touchpoint: Option<TouchpointId>,
    /// The case, interaction, response or order it is about.
    pub subject: Option<uuid::Uuid>,
    /// What kind of interaction, or how a case was resolved: a short word, never personal.
    pub label: Option<String>,
    /// How it felt, from -100 to 100.
    pub valence: Option<i16>,
    /// Whether it still counts.
    #[serde(serialize_with = "status_name")]
    pub status: EntryStatus,
}

/// The event's type by its name; null if this program does not know it.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference to the field
fn type_name<S: Serializer>(kind: &u16, serializer: S) -> Result<S::Ok, S::Error> {
    shown::shown(kind, serializer, |kind| type_of(*kind))
}

/// The status as a word like all others.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference to the field
fn status_name<S: Serializer>(status: &EntryStatus, serializer: S) -> Result<S::Ok, S::Error> {
    shown::shown(status, serializer, |status| match status {
        EntryStatus::AsRecorded => "as_recorded",
        EntryStatus::Corrected => "corrected",
        EntryStatus::Voided => "voided",
    })
}

fn type_of(kind: u16) -> Option<&'static str> {
    Event::TYPES.get(usize::from(kind)).copied()
}

impl Entry {
    /// Where it stands among the customer's entries.
    pub fn place(&self) -> Place {
        (self.occurred_at, self.ordinal)
    }

    /// The event's type; `None` if this program does not know it.
    pub fn event_type(&self) -> Option<&'static str> {
        type_of(self.kind)
    }

    /// The entry of an event.
    pub fn of(recorded: &Recorded) -> Self {
        let name = recorded.event.event_type();
        let kind = Event::TYPES.iter().position(|known| *known == name);
        let entry = Self {
            occurred_at: recorded.occurred_at().as_microsecond(),
            ordinal: recorded.ordinal,
            revision: recorded.revision,
            recorded_at: recorded.recorded_at.as_microsecond(),
            kind: kind.map_or(u16::MAX, |place| place as u16),
            channel: None,
            direction: None,
            stage: None,
            touchpoint: None,
            subject: None,
            label: None,
            valence: None,
            status: EntryStatus::AsRecorded,
        };
        entry.described_by(&recorded.event)
    }

    fn described_by(self, event: &Event) -> Self {
        let case = |case: CaseId, label: Option<&str>, entry: Self| Self {
            subject: Some(case.0),
            label: label.map(str::to_owned),
            stage: Some(Stage::Support),
            ..entry
        };
        match event {
            Event::InteractionRecorded(it) => Self {
                channel: Some(it.channel),
                direction: Some(it.direction),
                stage: it.stage,
                touchpoint: it.touchpoint,
                subject: Some(it.interaction.0),
                label: Some(it.kind.clone()),
                valence: it.valence.map(|valence| valence.score),
                ..self
            },
            Event::ImpressionRecorded(it) => Self {
                label: Some(it.of.as_str().to_owned()),
                valence: Some(it.valence.score),
                ..self
            },
            Event::PurchaseMade(it) => Self {
                channel: it.channel,
                stage: Some(Stage::Purchase),
                touchpoint: it.touchpoint,
                subject: Some(it.order.0),
                direction: Some(Direction::In),
                ..self
            },
            Event::OrderFulfilled(it) => Self { subject: Some(it.order.0), ..self },
            Event::ReturnMade(it) => Self { subject: Some(it.order.0), ..self },
            Event::ResponseSubmitted(it) => {
                Self { subject: Some(it.response.0), direction: Some(Direction::In), ..self }
            }
            Event::InvitationSent(it) => Self {
                subject: Some(it.instrument.0),
                touchpoint: it.touchpoint,
                direction: Some(Direction::Out),
                ..self
            },
            Event::CaseOpened(it) => Self {
                channel: it.channel,
                touchpoint: it.touchpoint,
                direction: Some(Direction::In),
                ..case(it.case, Some(it.kind.as_str()), self)
            },
            Event::CaseResolved(it) => case(it.case, Some(&it.resolution), self),
            Event::CasePaused(it) => case(it.case, Some(it.waiting_on.as_str()), self),
            Event::LifecycleStageChanged(it) => Self { stage: Some(it.to), ..self },
            other => match case_of(other) {
                Some(id) => case(id, None, self),
                None => self,
            },
        }
    }
}

/// The case a step is about.
pub fn case_of(event: &Event) -> Option<CaseId> {
    Some(match event {
        Event::CaseOpened(e::CaseOpened { case, .. })
        | Event::CaseAcknowledged(e::CaseAcknowledged { case })
        | Event::CaseAssigned(e::CaseAssigned { case, .. })
        | Event::CaseTransferred(e::CaseTransferred { case, .. })
        | Event::AgentReplied(e::AgentReplied { case, .. })
        | Event::CustomerReplied(e::CustomerReplied { case, .. })
        | Event::SolutionOffered(e::SolutionOffered { case, .. })
        | Event::CasePaused(e::CasePaused { case, .. })
        | Event::CaseResumed(e::CaseResumed { case })
        | Event::CaseEscalated(e::CaseEscalated { case, .. })
        | Event::CaseResolved(e::CaseResolved { case, .. })
        | Event::CustomerAcceptedResolution(e::CustomerAcceptedResolution { case })
        | Event::CustomerRejectedResolution(e::CustomerRejectedResolution { case })
        | Event::CaseReopened(e::CaseReopened { case, .. })
        | Event::CaseClosed(e::CaseClosed { case }) => *case,
        _ => return None,
    })
}
