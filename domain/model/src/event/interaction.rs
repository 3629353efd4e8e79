//! What a customer met.

use serde::{Deserialize, Serialize};

use super::PersonalFields;
use crate::ids::{CaseId, InteractionId, TouchpointId};
use crate::personal::{Personal, Sealable};
use crate::vocabulary::{
    Channel, Counterparty, Direction, Expectation, ImpressionOf, Initiator, Stage, ValenceBasis,
};

/// How it felt, from -100 (as bad as can be) to 100, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Valence {
    /// -100 to 100.
    pub score: i16,
    /// Stated or inferred.
    pub basis: ValenceBasis,
}

/// A customer met the organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InteractionRecorded {
    /// Its id, for corrections.
    pub interaction: InteractionId,
    /// What kind, such as `call`, `visit`, `page_view`; free, lower case.
    pub kind: String,
    /// Where; it may be one the catalogue does not know yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointId>,
    /// By which way.
    pub channel: Channel,
    /// Who came to whom.
    pub direction: Direction,
    /// Who began.
    pub initiator: Initiator,
    /// Whom the customer met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<Counterparty>,
    /// Where in the relationship.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The conversation or session it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The case it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// How long it took, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u32>,
    /// How it ended, such as `answered` or `abandoned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Personal<String>>,
    /// How it felt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valence: Option<Valence>,
    /// Against what was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation: Option<Expectation>,
}

impl PersonalFields for InteractionRecorded {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        if let Some(text) = &mut self.text {
            visit("text", text);
        }
    }
}

/// An interaction was recorded wrongly; the fields given here are right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InteractionCorrected {
    /// Which.
    pub interaction: InteractionId,
    /// The right channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The right touchpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointId>,
    /// The right stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The right outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The right valence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valence: Option<Valence>,
    /// Why it is corrected.
    pub reason: String,
}
impl PersonalFields for InteractionCorrected {}

/// An interaction should not have been recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InteractionVoided {
    /// Which.
    pub interaction: InteractionId,
    /// Why.
    pub reason: String,
}
impl PersonalFields for InteractionVoided {}

/// What a customer thinks of the organisation, a product or a service, with no interaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImpressionRecorded {
    /// Of what.
    pub of: ImpressionOf,
    /// How it feels.
    pub valence: Valence,
    /// The emotion, such as `joy` or `anger`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emotion: Option<String>,
}
impl PersonalFields for ImpressionRecorded {}
