//! Who a customer is.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::PersonalFields;
use crate::ids::CustomerId;
use crate::personal::{Personal, Sealable};
use crate::vocabulary::{CustomerKind, Stage};

/// A customer became known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerRegistered {
    /// A person, a household or an organisation.
    pub kind: CustomerKind,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal<String>>,
}

impl PersonalFields for CustomerRegistered {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        if let Some(name) = &mut self.name {
            visit("name", name);
        }
    }
}

/// What is known of a customer changed. Fields left out stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetailsChanged {
    /// What they are called now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal<String>>,
    /// The language they want to be spoken to in, BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl PersonalFields for DetailsChanged {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        if let Some(name) = &mut self.name {
            visit("name", name);
        }
    }
}

/// The customer is known by this value in this scheme (an e-mail address, a number in a CRM).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifierAttached {
    /// The scheme, such as `email` or `crm`.
    pub scheme: String,
    /// The value.
    pub value: Personal<String>,
    /// No two customers share it, so it forbids a merge of two who hold different ones.
    #[serde(default)]
    pub unique: bool,
}

impl PersonalFields for IdentifierAttached {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        visit("value", &mut self.value);
    }
}

/// The customer is no longer known so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifierDetached {
    /// The scheme.
    pub scheme: String,
    /// The event that attached it.
    pub attached: Uuid,
}
impl PersonalFields for IdentifierDetached {}

/// This customer turned out to be another one, the survivor. Stands in the absorbed one's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomersMerged {
    /// Who both are.
    pub survivor: CustomerId,
    /// The events that show it.
    #[serde(default)]
    pub evidence: Vec<Uuid>,
    /// Why.
    pub reason: String,
}
impl PersonalFields for CustomersMerged {}

/// A merge was wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomersUnmerged {
    /// The merge that is undone.
    pub merge: Uuid,
}
impl PersonalFields for CustomersUnmerged {}

/// The customer came to another stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LifecycleStageChanged {
    /// The stage before, if one was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Stage>,
    /// The stage now.
    pub to: Stage,
    /// The rule that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}
impl PersonalFields for LifecycleStageChanged {}

/// The customer prefers something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreferenceSet {
    /// What about, such as `contact_channel`.
    pub name: String,
    /// What they prefer.
    pub value: Personal<String>,
}

impl PersonalFields for PreferenceSet {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        visit("value", &mut self.value);
    }
}

/// The customer said what they mean to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IntentDeclared {
    /// Such as `repurchase`, `recommend` or `leave`.
    pub intent: String,
}
impl PersonalFields for IntentDeclared {}
