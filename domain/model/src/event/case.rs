//! What a customer asked, requested, reported or complained about.

use serde::{Deserialize, Serialize};

use super::PersonalFields;
use crate::ids::{AgentId, CaseId, DivisionId, TouchpointId};
use crate::personal::{Personal, Sealable};
use crate::vocabulary::{CaseKind, Channel, Severity, WaitingOn};

/// A customer asked, requested, reported or complained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseOpened {
    /// Its id.
    pub case: CaseId,
    /// What kind.
    pub kind: CaseKind,
    /// How bad.
    pub severity: Severity,
    /// What it is about, in the customer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Personal<String>>,
    /// What the customer wants, such as `refund`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy_sought: Option<String>,
    /// Where it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointId>,
    /// By which way it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Its number elsewhere; no personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl PersonalFields for CaseOpened {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        if let Some(subject) = &mut self.subject {
            visit("subject", subject);
        }
    }
}

/// The customer was told that the case arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseAcknowledged {
    /// Which case.
    pub case: CaseId,
}
impl PersonalFields for CaseAcknowledged {}

/// Someone is to look after the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseAssigned {
    /// Which case.
    pub case: CaseId,
    /// The division.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<DivisionId>,
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
}
impl PersonalFields for CaseAssigned {}

/// The case went to someone else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseTransferred {
    /// Which case.
    pub case: CaseId,
    /// The division it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<DivisionId>,
    /// The person it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
}
impl PersonalFields for CaseTransferred {}

/// The organisation answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentReplied {
    /// Which case.
    pub case: CaseId,
    /// A person wrote it; an automatic reply is no first response.
    #[serde(default)]
    pub human: bool,
    /// The customer sees it.
    #[serde(default)]
    pub public: bool,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Personal<String>>,
}

impl PersonalFields for AgentReplied {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        if let Some(text) = &mut self.text {
            visit("text", text);
        }
    }
}

/// The customer wrote again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerReplied {
    /// Which case.
    pub case: CaseId,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Personal<String>>,
}

impl PersonalFields for CustomerReplied {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        if let Some(text) = &mut self.text {
            visit("text", text);
        }
    }
}

/// The organisation offered a solution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SolutionOffered {
    /// Which case.
    pub case: CaseId,
    /// Which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Personal<String>>,
}

impl PersonalFields for SolutionOffered {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        if let Some(description) = &mut self.description {
            visit("description", description);
        }
    }
}

/// The case waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CasePaused {
    /// Which case.
    pub case: CaseId,
    /// For whom.
    pub waiting_on: WaitingOn,
}
impl PersonalFields for CasePaused {}

/// The case waits no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseResumed {
    /// Which case.
    pub case: CaseId,
}
impl PersonalFields for CaseResumed {}

/// The case went up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseEscalated {
    /// Which case.
    pub case: CaseId,
    /// Why.
    pub reason: String,
}
impl PersonalFields for CaseEscalated {}

/// The case is settled, in the organisation's eyes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseResolved {
    /// Which case.
    pub case: CaseId,
    /// How, such as `fixed` or `explained`.
    pub resolution: String,
}
impl PersonalFields for CaseResolved {}

/// The customer agrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerAcceptedResolution {
    /// Which case.
    pub case: CaseId,
}
impl PersonalFields for CustomerAcceptedResolution {}

/// The customer does not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerRejectedResolution {
    /// Which case.
    pub case: CaseId,
}
impl PersonalFields for CustomerRejectedResolution {}

/// The case is open again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseReopened {
    /// Which case.
    pub case: CaseId,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
impl PersonalFields for CaseReopened {}

/// The decision was communicated, nothing is left to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseClosed {
    /// Which case.
    pub case: CaseId,
}
impl PersonalFields for CaseClosed {}
