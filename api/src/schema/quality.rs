//! How the facts came in.

use async_graphql::{Context, Result, SimpleObject};
use cx_model::{ImportId, Position};
use cx_projections::Scan;
use cx_projections::views::Import as ImportRow;

use super::reading;
use super::scalars::DateTime;

/// One run of the importer: `read = taken + repeated + quarantined`.
#[derive(Debug, Clone, SimpleObject)]
pub struct ImportRun {
    /// Its id.
    pub id: ImportId,
    /// The mapping's name.
    pub mapping: String,
    /// SHA-256 of the file, hex.
    pub file_digest: String,
    /// When it began.
    pub started_at: DateTime,
    /// When it ended; null if it did not, or has not yet.
    pub finished_at: Option<DateTime>,
    /// Rows read.
    pub read: i64,
    /// Rows that became events.
    pub taken: i64,
    /// Rows that were here before.
    pub repeated: i64,
    /// Rows that could not be understood.
    pub quarantined: i64,
    /// Facts that break a rule and were kept.
    pub irregular: i64,
}

/// How the facts came in.
#[derive(Debug, Clone, SimpleObject)]
pub struct DataQuality {
    /// Each run of the importer, newest first.
    pub imports: Vec<ImportRun>,
    /// Rows read by all of them.
    pub read: i64,
    /// Rows that became events.
    pub taken: i64,
    /// Rows that were here before.
    pub repeated: i64,
    /// Rows that could not be understood.
    pub quarantined: i64,
    /// Facts that break a rule and were kept.
    pub irregular: i64,
    /// The position this is true at.
    pub as_of: Position,
}

/// Reads all runs.
pub async fn read(ctx: &Context<'_>) -> Result<DataQuality> {
    reading::read::<ImportRow, _>(ctx, |snapshot| {
        let mut imports: Vec<ImportRun> = reading::scan(snapshot, &Scan::all())?
            .into_iter()
            .map(|row| ImportRun {
                id: row.key,
                mapping: row.view.mapping,
                file_digest: row.view.file_digest,
                started_at: DateTime::of_microseconds(row.view.started_at),
                finished_at: row.view.finished_at.map(DateTime::of_microseconds),
                read: row.view.read as i64,
                taken: row.view.taken as i64,
                repeated: row.view.repeated as i64,
                quarantined: row.view.quarantined as i64,
                irregular: row.view.irregular as i64,
            })
            .collect();
        imports.sort_by_key(|import| std::cmp::Reverse(import.started_at));
        let sum = |count: fn(&ImportRun) -> i64| imports.iter().map(count).sum();
        Ok(DataQuality {
            read: sum(|import| import.read),
            taken: sum(|import| import.taken),
            repeated: sum(|import| import.repeated),
            quarantined: sum(|import| import.quarantined),
            irregular: sum(|import| import.irregular),
            imports,
            as_of: snapshot.as_of(),
        })
    })
    .await
}
