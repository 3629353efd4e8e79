//! A row that could not be taken, and what becomes of it.

use cx_model::ImportId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::import::intake::ERASED;

/// A row that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its id: the same row of the same file has the same id each time.
    pub id: Uuid,
    /// The import that put it here.
    pub import: ImportId,
    /// When.
    pub at: Timestamp,
    /// The file's name.
    pub file: String,
    /// SHA-256 of the file, hex.
    pub file_digest: String,
    /// The line it begins on.
    pub line: u64,
    /// The column at fault.
    pub column: Option<String>,
    /// What is wrong. It quotes nothing of the row.
    pub reason: String,
    /// The mapping's name.
    pub mapping: String,
    /// SHA-256 of the mapping, hex; a copy of it lies beside.
    pub mapping_digest: String,
    /// The row's id in its system, where that could be read.
    pub source: Option<String>,
    /// The values may not be those of their columns: the line could not be read as a row. It is
    /// not taken again before it is mended.
    pub unread: bool,
    /// The names of the columns and what stands in them.
    pub values: Vec<(String, String)>,
}

impl Entry {
    /// Whether it was refused because its customer was erased.
    pub fn is_of_the_erased(&self) -> bool {
        self.reason == ERASED
    }

    /// As it is stored. Of a row of somebody who was erased nothing stays but that there was one:
    /// it is never taken.
    pub fn stored(mut self) -> Self {
        if self.is_of_the_erased() {
            (self.unread, self.source) = (true, None);
            self.values.clear();
        }
        self
    }
}

/// What became of a row that was here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is in the ledger.
    Taken,
    /// Nobody wants it.
    Dropped,
}
