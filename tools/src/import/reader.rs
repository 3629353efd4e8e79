//! The rows of a file, one after another.

use super::delimited::{Blanks, Delimited};
use super::json::Json;
use super::mapping::{FileSpec, Format};
use super::row::{Columns, Row};
use super::source::Source;
use super::xes::Xes;

/// A file that is read row by row. Memory does not grow with the file.
pub trait Rows {
    /// The next row, `None` at the end. An error means that nothing more can be read; a row that
    /// cannot be understood comes with its fault instead.
    fn next(&mut self, columns: &Columns) -> anyhow::Result<Option<Row>>;
}

/// Reads the start of a file. Fails if the mapping names columns that the file does not have, where
/// the format can tell.
pub fn open(source: Source, spec: &FileSpec, columns: &Columns) -> anyhow::Result<Box<dyn Rows>> {
    Ok(match spec.format {
        Format::Csv => Box::new(Delimited::open(source, spec, columns)?),
        Format::Blanks => Box::new(Blanks::open(source, spec, columns)?),
        Format::Ndjson | Format::Cloudevents => Box::new(Json::new(source)),
        Format::Xes => Box::new(Xes::new(source)),
    })
}
