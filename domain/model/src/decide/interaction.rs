//! What a customer met.

use std::collections::BTreeMap;

use super::{Refusal, State, Subject, check_valence, decisions, refuse, said};
use crate::envelope::Recorded;
use crate::event::Event;
use crate::ids::InteractionId;

/// What decisions about a customer's interactions depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interactions {
    pub(super) subject: Subject,
    /// Whether each was voided.
    voided: BTreeMap<InteractionId, bool>,
}

impl Interactions {
    /// Whether an interaction is recorded and stands.
    pub fn stands(&self, interaction: InteractionId) -> bool {
        self.voided.get(&interaction) == Some(&false)
    }

    fn standing(&self, interaction: InteractionId) -> Result<(), Refusal> {
        self.subject.check()?;
        let voided = self.voided.get(&interaction).ok_or(Refusal::UnknownInteraction)?;
        refuse(*voided, Refusal::AlreadyVoided)
    }
}

impl State for Interactions {
    fn apply(&mut self, event: &Recorded) {
        self.subject.apply(&event.event);
        match &event.event {
            Event::InteractionRecorded(recorded) => {
                self.voided.entry(recorded.interaction).or_insert(false);
            }
            Event::InteractionVoided(voided) => {
                self.voided.insert(voided.interaction, true);
            }
            _ => {}
        }
    }
}

decisions! { Interactions {
    /// Records what a customer met.
    RecordInteraction(InteractionRecorded) = |interactions, met| {
        interactions.subject.check()?;
        said(&met.kind, "kind")?;
        check_valence(met.valence)?;
        let taken = interactions.voided.contains_key(&met.interaction);
        refuse(taken, Refusal::AlreadyRecorded)
    };
    /// Puts right what was recorded wrongly.
    CorrectInteraction(InteractionCorrected) = |interactions, corrected| {
        interactions.standing(corrected.interaction)?;
        said(&corrected.reason, "reason")?;
        check_valence(corrected.valence)?;
        let nothing = corrected.channel.is_none()
            && corrected.touchpoint.is_none()
            && corrected.stage.is_none()
            && corrected.outcome.is_none()
            && corrected.valence.is_none();
        refuse(nothing, Refusal::NothingChanged)
    };
    /// Takes back what should not have been recorded, once.
    VoidInteraction(InteractionVoided) = |interactions, voided| {
        interactions.standing(voided.interaction)?;
        said(&voided.reason, "reason")
    };
    /// Records what a customer thinks.
    RecordImpression(ImpressionRecorded) = |interactions, impression| {
        interactions.subject.check()?;
        check_valence(Some(impression.valence))
    };
} }
