//! Consent, and the rights of the person behind the customer.

use serde::{Deserialize, Serialize};

use super::PersonalFields;
use crate::vocabulary::Channel;

/// The customer allowed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsentGiven {
    /// What for, such as `marketing`.
    pub purpose: String,
    /// The version of the text they agreed to.
    pub wording_version: String,
    /// By which way.
    pub channel: Channel,
}
impl PersonalFields for ConsentGiven {}

/// The customer no longer allows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsentWithdrawn {
    /// What for.
    pub purpose: String,
}
impl PersonalFields for ConsentWithdrawn {}

/// The customer asked to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErasureRequested {
    /// By which way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}
impl PersonalFields for ErasureRequested {}

/// The customer's key was destroyed: every personal value reads as erased from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectErased {
    /// Why, such as `request` or `retention`.
    pub reason: String,
}
impl PersonalFields for SubjectErased {}
