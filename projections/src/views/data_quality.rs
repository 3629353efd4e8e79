//! How the facts came in: each import with its counts.

use cx_model::{Event, ImportId, Recorded};
use serde::{Deserialize, Serialize};

use cx_model::StreamName;

use crate::projection::Projection;
use crate::rows::Rows;
use crate::shown;

/// One run of the importer. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// The mapping's name.
    pub mapping: String,
    /// SHA-256 of the file, hex.
    pub file_digest: String,
    /// When it began.
    #[serde(serialize_with = "shown::time")]
    pub started_at: i64,
    /// When it ended; `None` if it did not, or has not yet.
    #[serde(serialize_with = "shown::optional_time")]
    pub finished_at: Option<i64>,
    /// Rows read: taken, repeated and quarantined together.
    pub read: u64,
    /// Rows that became events.
    pub taken: u64,
    /// Rows that were here before.
    pub repeated: u64,
    /// Rows that could not be understood.
    pub quarantined: u64,
    /// Facts that break a rule of ours and were kept.
    pub irregular: u64,
}

impl Projection for Import {
    const NAME: &'static str = "data_quality";
    type Key = ImportId;
    type View = Self;
    type Private = ();

    fn stream_of(key: &Self::Key) -> Option<StreamName> {
        Some(key.stream())
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(import) = ImportId::of_stream(&event.stream) else { return };
        let at = event.occurred_at().as_microsecond();
        match &event.event {
            Event::ImportStarted(it) => rows.update(&import, |row| {
                row.mapping.clone_from(&it.mapping);
                row.file_digest.clone_from(&it.file_digest);
                row.started_at = at;
            }),
            Event::ImportFinished(it) => rows.update(&import, |row| {
                row.finished_at = Some(at);
                row.read = it.read;
                row.taken = it.taken;
                row.repeated = it.repeated;
                row.quarantined = it.quarantined;
                row.irregular = it.irregular;
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::laws!(Import);
}
