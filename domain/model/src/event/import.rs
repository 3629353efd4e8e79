//! How facts came in, and who is known by which identifier.

use serde::{Deserialize, Serialize};

use super::PersonalFields;
use crate::ids::CustomerId;
use crate::personal::{Personal, Sealable};

/// A file is being imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportStarted {
    /// SHA-256 of the file, hex.
    pub file_digest: String,
    /// SHA-256 of the mapping, hex.
    pub mapping_digest: String,
    /// The mapping's name.
    pub mapping: String,
}
impl PersonalFields for ImportStarted {}

/// A file was imported: `read = taken + repeated + quarantined`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportFinished {
    /// Rows read.
    pub read: u64,
    /// Rows that became events.
    pub taken: u64,
    /// Rows that were here before.
    pub repeated: u64,
    /// Rows that could not be understood.
    pub quarantined: u64,
    /// Facts that break an invariant of ours and were kept.
    pub irregular: u64,
}
impl PersonalFields for ImportFinished {}

/// An identifier belongs to a customer. The stream's name is a keyed hash of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifierClaimed {
    /// Whose it is, sealed with the ledger's own key.
    pub customer: Personal<CustomerId>,
}

impl PersonalFields for IdentifierClaimed {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        visit("customer", &mut self.customer);
    }
}

/// An identifier belongs to nobody any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifierReleased {
    /// Why.
    pub reason: String,
}
impl PersonalFields for IdentifierReleased {}
