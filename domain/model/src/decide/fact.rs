//! Facts: what happened elsewhere is recorded as it was, if it can be understood.

use super::feedback::{check_attributes, check_each_once, check_weight};
use super::instrument::check_instrument;
use super::purchase::{check_amount, check_currency};
use super::touchpoint::check_collection;
use super::{
    Cases, Instrument, Interactions, Profile, Purchases, Refusal, Responses, State, check_valence,
};
use crate::envelope::Recorded;
use crate::event::{Event, ResponseSubmitted};
use crate::ids::InstrumentId;

/// Refuses a fact that cannot be understood; it belongs in quarantine. `instrument` gives the
/// instrument of a response, `None` if the ledger does not know it (its scores are taken as they
/// are, as touchpoints outside the catalogue are).
pub fn check_fact<'a>(
    event: &Event,
    instrument: impl FnOnce(InstrumentId) -> Option<&'a Instrument>,
) -> Result<(), Refusal> {
    match event {
        Event::InteractionRecorded(met) => check_valence(met.valence),
        Event::InteractionCorrected(corrected) => check_valence(corrected.valence),
        Event::ImpressionRecorded(impression) => check_valence(Some(impression.valence)),
        Event::PurchaseMade(made) => {
            check_currency(&made.currency)?;
            check_amount(made.amount_minor)
        }
        Event::ReturnMade(returned) => {
            check_currency(&returned.currency)?;
            check_amount(returned.amount_minor)
        }
        Event::ResponseSubmitted(
            response @ ResponseSubmitted { instrument: named, answers, .. },
        ) => {
            check_weight(response)?;
            check_attributes(response)?;
            match instrument(*named).filter(|known| known.id().is_some()) {
                Some(known) => known.check_answers(answers),
                None => check_each_once(answers),
            }
        }
        Event::ResponseAmended(amended) => check_each_once(&amended.answers),
        Event::InstrumentPublished(published) => check_instrument(published),
        Event::CollectionMechanismAttached(attached) => check_collection(attached),
        Event::Unknown(unknown) => {
            Err(Refusal::UnknownEventType { event_type: unknown.event_type.clone() })
        }
        _ => Ok(()),
    }
}

/// Everything that is decided about a customer, folded together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerState {
    /// Identity and consent.
    pub profile: Profile,
    /// Interactions.
    pub interactions: Interactions,
    /// Purchases and offers.
    pub purchases: Purchases,
    /// Responses.
    pub responses: Responses,
    /// Cases.
    pub cases: Cases,
}

impl State for CustomerState {
    fn apply(&mut self, event: &Recorded) {
        self.profile.apply(event);
        self.interactions.apply(event);
        self.purchases.apply(event);
        self.responses.apply(event);
        self.cases.apply(event);
    }
}

impl CustomerState {
    /// Whether a fact, recorded after what is folded here, breaks an invariant that a decision
    /// keeps: a step after the close, a second resolve. It is kept, and counted as irregular. That
    /// nobody registered the customer is no irregularity.
    pub fn is_irregular(&self, fact: &Event) -> bool {
        if !self.profile.is_known() {
            return Self::of_somebody().is_irregular(fact);
        }
        let refusals = [
            self.profile.refusal_of_any(fact),
            self.interactions.refusal(fact),
            self.purchases.refusal(fact),
            self.responses.refusal_of_any(fact),
            self.cases.refusal(fact),
        ];
        let counts = |refusal: &Refusal| !matches!(refusal, Refusal::NothingSaid { .. });
        refusals.iter().flatten().any(counts)
    }

    /// Somebody of whom nothing is known but that they are.
    fn of_somebody() -> Self {
        let mut state = Self::default();
        let subjects = [
            &mut state.profile.subject,
            &mut state.interactions.subject,
            &mut state.purchases.subject,
            &mut state.responses.subject,
            &mut state.cases.subject,
        ];
        for subject in subjects {
            subject.known = true;
        }
        state
    }
}
