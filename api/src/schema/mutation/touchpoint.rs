//! Where customers meet the organisation.

use cx_model::decide::{
    AssignOwner, AttachCollectionMechanism, CatalogueTouchpoint, RetireTouchpoint,
    SubmitSelfAssessment,
};
use cx_model::event::{
    CollectionMechanismAttached, OwnerAssigned, SelfAssessmentSubmitted, TouchpointCatalogued,
    TouchpointRetired,
};
use cx_model::{AgentId, Channel, DivisionId, InstrumentId, Ownership, Stage, TouchpointId};

use super::payload::TouchpointPayload;

mutations! { TouchpointMutations {
    /// Enters a touchpoint in the catalogue, or describes it anew.
    catalogue_touchpoint(CatalogueTouchpointInput {
        /// Which, to describe it anew; a new one if left out.
        touchpoint: Option<TouchpointId>,
        /// What it is called.
        name: String,
        /// By which way customers reach it.
        channel: Channel,
        /// Where in the relationship it stands.
        stage: Option<Stage>,
        /// Whose it is.
        ownership: Ownership,
    }) -> TouchpointPayload = |deed, input| {
        let id = input.touchpoint.unwrap_or_else(|| deed.id_of("touchpoint"));
        let command = CatalogueTouchpoint(TouchpointCatalogued {
            name: input.name,
            channel: input.channel,
            stage: input.stage,
            ownership: input.ownership,
        });
        Ok(TouchpointPayload::new(deed.command(&id.stream(), &command).await?, id))
    }

    /// Says who answers for a touchpoint.
    assign_owner(AssignOwnerInput {
        /// Which touchpoint.
        touchpoint: TouchpointId,
        /// The division.
        division: DivisionId,
        /// The person.
        agent: Option<AgentId>,
    }) -> TouchpointPayload = |deed, input| {
        let command = AssignOwner(OwnerAssigned { division: input.division, agent: input.agent });
        let written = deed.command(&input.touchpoint.stream(), &command).await?;
        Ok(TouchpointPayload::new(written, input.touchpoint))
    }

    /// Says how customers are asked about a touchpoint.
    attach_collection_mechanism(AttachCollectionMechanismInput {
        /// Which touchpoint.
        touchpoint: TouchpointId,
        /// With which questionnaire.
        instrument: InstrumentId,
        /// After what, such as `visit`.
        trigger: String,
        /// How many of a thousand are asked.
        sampling_permille: u16,
        /// For how many days after that a customer is not asked again.
        rest_days: u16,
    }) -> TouchpointPayload = |deed, input| {
        let command = AttachCollectionMechanism(CollectionMechanismAttached {
            instrument: input.instrument,
            trigger: input.trigger,
            sampling_permille: input.sampling_permille,
            rest_days: input.rest_days,
        });
        let written = deed.command(&input.touchpoint.stream(), &command).await?;
        Ok(TouchpointPayload::new(written, input.touchpoint))
    }

    /// Rates the organisation's own touchpoint, as its division sees it.
    submit_self_assessment(SubmitSelfAssessmentInput {
        /// Which touchpoint.
        touchpoint: TouchpointId,
        /// Who rates.
        division: DivisionId,
        /// The score, on the same scale as the customers'.
        score: i32,
    }) -> TouchpointPayload = |deed, input| {
        let (division, score) = (input.division, input.score);
        let command = SubmitSelfAssessment(SelfAssessmentSubmitted { division, score });
        let written = deed.command(&input.touchpoint.stream(), &command).await?;
        Ok(TouchpointPayload::new(written, input.touchpoint))
    }

    /// Takes a touchpoint out of the catalogue. What happened there stays.
    retire_touchpoint(RetireTouchpointInput {
        /// Which.
        touchpoint: TouchpointId,
        /// Why.
        reason: String,
    }) -> TouchpointPayload = |deed, input| {
        let command = RetireTouchpoint(TouchpointRetired { reason: input.reason });
        let written = deed.command(&input.touchpoint.stream(), &command).await?;
        Ok(TouchpointPayload::new(written, input.touchpoint))
    }
} }
