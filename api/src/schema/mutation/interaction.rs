//! What a customer met.

use std::collections::HashMap;

use async_graphql::{Context, InputObject, InputType, Object, Result};
use cx_model::decide::{CorrectInteraction, RecordImpression, RecordInteraction, VoidInteraction};
use cx_model::event::{
    ImpressionRecorded, InteractionCorrected, InteractionRecorded, InteractionVoided, Valence,
};
use cx_model::{
    CaseId, Channel, Counterparty, CustomerId, Direction, Expectation, ImpressionOf, Initiator,
    InteractionId, Stage, TouchpointId, ValenceBasis,
};
use futures::future::try_join_all;

use super::super::scalars::Duration;
use super::deed::{Deed, Written};
use super::payload::{CustomerPayload, InteractionPayload, InteractionsPayload};
use super::refused::UserError;
use crate::errors::Code;

/// So many interactions are taken in one mutation.
const ITEMS: usize = 1000;

/// How it felt.
#[derive(Clone, Copy, InputObject)]
pub struct ValenceInput {
    /// From -100, as bad as can be, to 100.
    pub score: i16,
    /// Stated by the customer, or inferred.
    pub basis: ValenceBasis,
}

impl From<ValenceInput> for Valence {
    fn from(ValenceInput { score, basis }: ValenceInput) -> Self {
        Self { score, basis }
    }
}

mutations! { SingleMutations {
    /// Records what a customer met.
    record_interaction(RecordInteractionInput {
        /// Who met the organisation.
        customer: CustomerId,
        /// What kind, such as `call`, `visit` or `page_view`; your own word, lower case.
        kind: String,
        /// Where; it may be one the catalogue does not know yet.
        touchpoint: Option<TouchpointId>,
        /// By which way.
        channel: Channel,
        /// Who came to whom.
        direction: Direction,
        /// Who began.
        initiator: Initiator,
        /// Whom the customer met.
        counterparty: Option<Counterparty>,
        /// Where in the relationship.
        stage: Option<Stage>,
        /// The conversation or session it belongs to.
        thread: Option<String>,
        /// The case it is about.
        case: Option<CaseId>,
        /// How long it took, such as `PT3M`; whole seconds count.
        duration: Option<Duration>,
        /// How it ended, such as `answered` or `abandoned`.
        outcome: Option<String>,
        /// What was said. Sealed with the customer's key.
        text: Option<String>,
        /// How it felt.
        valence: Option<ValenceInput>,
        /// Against what was expected.
        expectation: Option<Expectation>,
    }) -> InteractionPayload = |deed, input| {
        record(&deed, input).await
    }

    /// Puts right what was recorded wrongly of an interaction. What is left out stays as it is; the first record stays readable.
    correct_interaction(CorrectInteractionInput {
        /// Whose interaction.
        customer: CustomerId,
        /// Which.
        interaction: InteractionId,
        /// The right channel.
        channel: Option<Channel>,
        /// The right touchpoint.
        touchpoint: Option<TouchpointId>,
        /// The right stage.
        stage: Option<Stage>,
        /// The right outcome.
        outcome: Option<String>,
        /// The right valence.
        valence: Option<ValenceInput>,
        /// Why it is corrected.
        reason: String,
    }) -> InteractionPayload = |deed, input| {
        let command = CorrectInteraction(InteractionCorrected {
            interaction: input.interaction,
            channel: input.channel,
            touchpoint: input.touchpoint,
            stage: input.stage,
            outcome: input.outcome,
            valence: input.valence.map(Into::into),
            reason: input.reason,
        });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(InteractionPayload::new(written, input.customer, input.interaction))
    }

    /// Takes back an interaction that should not have been recorded. It stays readable as voided and counts nowhere.
    void_interaction(VoidInteractionInput {
        /// Whose interaction.
        customer: CustomerId,
        /// Which.
        interaction: InteractionId,
        /// Why.
        reason: String,
    }) -> InteractionPayload = |deed, input| {
        let (interaction, reason) = (input.interaction, input.reason);
        let command = VoidInteraction(InteractionVoided { interaction, reason });
        let written = deed.command(&input.customer.stream(), &command).await?;
        Ok(InteractionPayload::new(written, input.customer, interaction))
    }

    /// Records what a customer thinks of the organisation, a product or a service, with no interaction.
    record_impression(RecordImpressionInput {
        /// Who.
        customer: CustomerId,
        /// Of what.
        of: ImpressionOf,
        /// How it feels.
        valence: ValenceInput,
        /// The emotion, such as `joy` or `anger`.
        emotion: Option<String>,
    }) -> CustomerPayload = |deed, input| {
        let (of, valence, emotion) = (input.of, input.valence.into(), input.emotion);
        let command = RecordImpression(ImpressionRecorded { of, valence, emotion });
        let stream = input.customer.stream();
        Ok(CustomerPayload::new(deed.command(&stream, &command).await?, input.customer))
    }
} }

/// Several at once.
#[derive(Default)]
pub struct ManyMutations;

#[Object]
impl ManyMutations {
    /// Records several interactions, each by itself: one that is refused holds up no other. Those of one customer are recorded in the order they are given.
    async fn record_interactions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The interactions, at most 1,000.")] input: Vec<RecordInteractionInput>,
    ) -> Result<InteractionsPayload> {
        if input.len() > ITEMS {
            return Err(Code::TooCostly
                .error(format!("at most {ITEMS} interactions are taken at once; split them")));
        }
        let mut by_customer: HashMap<CustomerId, Vec<(usize, RecordInteractionInput)>> =
            HashMap::new();
        let count = input.len();
        for (place, item) in input.into_iter().enumerate() {
            by_customer.entry(item.customer).or_default().push((place, item));
        }
        let groups = by_customer.into_values().map(|items| async move {
            let mut done = Vec::with_capacity(items.len());
            for (place, item) in items {
                let deed = Deed::new(
                    ctx,
                    "record_interaction",
                    &item.to_value(),
                    item.idempotency_key.as_deref(),
                    item.occurred_at,
                )?;
                done.push((place, record(&deed, item).await?));
            }
            Ok::<_, async_graphql::Error>(done)
        });
        let mut items: Vec<_> = try_join_all(groups).await?.into_iter().flatten().collect();
        debug_assert_eq!(items.len(), count, "each item is answered");
        items.sort_by_key(|(place, _)| *place);
        Ok(InteractionsPayload::new(items.into_iter().map(|(_, payload)| payload).collect()))
    }
}

async fn record(deed: &Deed<'_>, input: RecordInteractionInput) -> Result<InteractionPayload> {
    let (customer, interaction) = (input.customer, deed.id_of("interaction"));
    let refused =
        |error: UserError| Ok(InteractionPayload::new(Written::from(error), customer, interaction));
    let seconds = input.duration.map(|Duration(length)| u32::try_from(length.as_secs()));
    let Ok(duration_seconds) = seconds.transpose() else {
        let message = "a duration is not negative and shorter than 136 years";
        return refused(UserError::new("BAD_DURATION", message, "duration"));
    };
    let command = RecordInteraction(InteractionRecorded {
        interaction,
        kind: input.kind,
        touchpoint: input.touchpoint,
        channel: input.channel,
        direction: input.direction,
        initiator: input.initiator,
        counterparty: input.counterparty,
        stage: input.stage,
        thread: input.thread,
        case: input.case,
        duration_seconds,
        outcome: input.outcome,
        text: input.text.map(Into::into),
        valence: input.valence.map(Into::into),
        expectation: input.expectation,
    });
    let written = deed.command(&customer.stream(), &command).await?;
    Ok(InteractionPayload::new(written, customer, interaction))
}
