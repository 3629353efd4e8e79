//! Where customers meet the organisation.

use super::{Refusal, State, decisions, refuse, said};
use crate::envelope::Recorded;
use crate::event::{CollectionMechanismAttached, Event};

/// What decisions about a touchpoint depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touchpoint {
    catalogued: bool,
    retired: bool,
}

impl Touchpoint {
    fn in_use(&self) -> Result<(), Refusal> {
        refuse(!self.catalogued, Refusal::UnknownTouchpoint)?;
        refuse(self.retired, Refusal::AlreadyRetired)
    }
}

impl State for Touchpoint {
    fn apply(&mut self, event: &Recorded) {
        match &event.event {
            Event::TouchpointCatalogued(_) => self.catalogued = true,
            Event::TouchpointRetired(_) => self.retired = true,
            _ => {}
        }
    }
}

/// What a collection must be to be understood.
pub(super) fn check_collection(attached: &CollectionMechanismAttached) -> Result<(), Refusal> {
    refuse(attached.sampling_permille > 1000, Refusal::BadSampling)
}

decisions! { Touchpoint {
    /// Enters a touchpoint in the catalogue, or describes it anew.
    CatalogueTouchpoint(TouchpointCatalogued) = |touchpoint, catalogued| {
        refuse(touchpoint.retired, Refusal::AlreadyRetired)?;
        said(&catalogued.name, "name")
    };
    /// Says who answers for a touchpoint.
    AssignOwner(OwnerAssigned) = |touchpoint, _| touchpoint.in_use();
    /// Says how customers are asked about a touchpoint.
    AttachCollectionMechanism(CollectionMechanismAttached) = |touchpoint, attached| {
        touchpoint.in_use()?;
        said(&attached.trigger, "trigger")?;
        check_collection(attached)
    };
    /// Rates the organisation's own touchpoint.
    SubmitSelfAssessment(SelfAssessmentSubmitted) = |touchpoint, _| touchpoint.in_use();
    /// Takes a touchpoint out of the catalogue.
    RetireTouchpoint(TouchpointRetired) = |touchpoint, retired| {
        touchpoint.in_use()?;
        said(&retired.reason, "reason")
    };
} }
