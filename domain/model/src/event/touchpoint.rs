//! Where customers meet the organisation.

use serde::{Deserialize, Serialize};

use super::PersonalFields;
use crate::ids::{AgentId, DivisionId, InstrumentId};
use crate::vocabulary::{Channel, Ownership, Stage};

/// A touchpoint became known, or is described anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TouchpointCatalogued {
    /// What it is called.
    pub name: String,
    /// By which way customers reach it.
    pub channel: Channel,
    /// Where in the relationship it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Whose it is.
    pub ownership: Ownership,
}
impl PersonalFields for TouchpointCatalogued {}

/// Someone answers for a touchpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerAssigned {
    /// The division.
    pub division: DivisionId,
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
}
impl PersonalFields for OwnerAssigned {}

/// Customers are asked about a touchpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CollectionMechanismAttached {
    /// With which questionnaire.
    pub instrument: InstrumentId,
    /// After what, such as `visit`.
    pub trigger: String,
    /// How many of a thousand are asked.
    pub sampling_permille: u16,
    /// For how many days after that a customer is not asked again.
    pub rest_days: u16,
}
impl PersonalFields for CollectionMechanismAttached {}

/// The organisation rated its own touchpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelfAssessmentSubmitted {
    /// Who rated.
    pub division: DivisionId,
    /// The score, on the same scale as the customers'.
    pub score: i32,
}
impl PersonalFields for SelfAssessmentSubmitted {}

/// A touchpoint is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TouchpointRetired {
    /// Why.
    pub reason: String,
}
impl PersonalFields for TouchpointRetired {}
