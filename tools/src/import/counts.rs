//! What became of the rows of a file.

use std::ops::AddAssign;

use cx_model::ImportId;
use serde::Serialize;

/// What became of the rows of a file: `read = taken + repeated + quarantined`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Rows read.
    pub read: u64,
    /// Rows that became events.
    pub taken: u64,
    /// Rows that were in the ledger before.
    pub repeated: u64,
    /// Rows that could not be taken.
    pub quarantined: u64,
    /// Rows that break an invariant of ours and were taken all the same.
    pub irregular: u64,
    /// Events of the rows taken.
    pub events: u64,
    /// Of the rows quarantined, those that say something new of customers who were erased.
    pub erased: u64,
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.read += other.read;
        self.taken += other.taken;
        self.repeated += other.repeated;
        self.quarantined += other.quarantined;
        self.irregular += other.irregular;
        self.events += other.events;
        self.erased += other.erased;
    }
}

/// The summary of one file.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The file.
    pub file: String,
    /// Its stream is `import-` and this.
    pub import: ImportId,
    /// The mapping's name.
    pub mapping: String,
    /// What became of the rows.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long it took.
    pub seconds: f64,
}
