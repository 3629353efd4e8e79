//! Rows of comma-separated and of blank-separated files.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, bail};
use encoding_rs::Encoding;

use super::mapping::{FileSpec, Ragged};
use super::reader::Rows;
use super::row::{Columns, Fault, Row, Shape};
use super::source::{self, Lines, ROW_LIMIT, Source};

/// Rows whose columns are parted by a character, with quotation marks around what holds it.
pub struct Delimited {
    reader: csv::Reader<Budgeted>,
    spent: Rc<Cell<usize>>,
    record: csv::ByteRecord,
    table: Table,
}

/// Rows whose columns are parted by one or more blanks.
pub struct Blanks {
    lines: Lines<Box<dyn BufRead>>,
    line: Vec<u8>,
    table: Table,
}

struct Table {
    shape: Arc<Shape>,
    encoding: &'static Encoding,
    ragged: Ragged,
}

impl Delimited {
    /// Reads the header, or takes the names from the mapping.
    pub fn open(source: Source, spec: &FileSpec, columns: &Columns) -> anyhow::Result<Self> {
        let spent = Rc::new(Cell::new(0));
        let bytes = Budgeted { inner: source.bytes, spent: spent.clone() };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(spec.delimiter()?)
            .quote(spec.quote()?)
            .from_reader(bytes);
        let mut record = csv::ByteRecord::new();
        let names = if let Some(names) = &spec.columns {
            names.clone()
        } else {
            if !reader.read_byte_record(&mut record)? {
                bail!("the file is empty: there is no line with the names of the columns");
            }
            record.iter().map(|name| header(name, source.encoding)).collect()
        };
        let table = Table::new(names, source.encoding, spec, columns)?;
        Ok(Self { reader, spent, record, table })
    }
}

impl Rows for Delimited {
    fn next(&mut self, _: &Columns) -> anyhow::Result<Option<Row>> {
        self.spent.set(0);
        let line = self.reader.position().line();
        let read = self.reader.read_byte_record(&mut self.record);
        if !read.with_context(|| format!("line {line}: the row cannot be read"))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(line, csv::Position::line);
        Ok(Some(self.table.row(line, self.record.iter())))
    }
}

impl Blanks {
    /// Reads the header, or takes the names from the mapping.
    pub fn open(source: Source, spec: &FileSpec, columns: &Columns) -> anyhow::Result<Self> {
        let mut lines = Lines::new(source.bytes);
        let mut line = Vec::new();
        let names = match &spec.columns {
            Some(names) => names.clone(),
            None => loop {
                if !lines.next_line(&mut line)? {
                    bail!("the file is empty: there is no line with the names of the columns");
                }
                let names: Vec<String> =
                    words(&line).map(|name| header(name, source.encoding)).collect();
                if !names.is_empty() {
                    break names;
                }
            },
        };
        let table = Table::new(names, source.encoding, spec, columns)?;
        Ok(Self { lines, line, table })
    }
}

impl Rows for Blanks {
    fn next(&mut self, _: &Columns) -> anyhow::Result<Option<Row>> {
        loop {
            if !self.lines.next_line(&mut self.line)? {
                return Ok(None);
            }
            if words(&self.line).next().is_some() {
                return Ok(Some(self.table.row(self.lines.ended, words(&self.line))));
            }
        }
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn header(name: &[u8], encoding: &'static Encoding) -> String {
    source::text(name, encoding).0.trim().to_owned()
}

impl Table {
    fn new(
        names: Vec<String>,
        encoding: &'static Encoding,
        spec: &FileSpec,
        columns: &Columns,
    ) -> anyhow::Result<Self> {
        let missing = columns.missing(|name| names.iter().any(|known| known == name));
        if !missing.is_empty() {
            bail!(
                "the mapping names columns that the file does not have: {}\nthe file has: {}\n\
                 correct the names in the mapping, or say `optional = true` where a column may be \
                 left out",
                missing.join(", "),
                names.join(", ")
            );
        }
        Ok(Self { shape: Arc::new(Shape::new(names, columns)), encoding, ragged: spec.ragged })
    }

    fn row<'a>(&self, line: u64, fields: impl Iterator<Item = &'a [u8]>) -> Row {
        let mut row = Row::new(line, self.shape.clone());
        for (place, field) in fields.enumerate() {
            let (text, valid) = source::text(field, self.encoding);
            row.push(&text);
            if !valid && row.fault.is_none() {
                let column = self.shape.names().get(place).map_or("", String::as_str);
                let reason = format!("bytes that are not {}", self.encoding.name());
                row.fault = Some(Fault::of(column, reason));
            }
        }
        let (found, expected) = (row.len(), self.shape.names().len());
        if found != expected && self.ragged == Ragged::Quarantine && row.fault.is_none() {
            row.fault =
                Some(Fault::row(format!("{found} values where the file has {expected} columns")));
        }
        row
    }
}

/// Refuses to read on when one row has used up its budget.
struct Budgeted {
    inner: Box<dyn BufRead>,
    spent: Rc<Cell<usize>>,
}

impl Read for Budgeted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.spent.get() > ROW_LIMIT {
            let limit = ROW_LIMIT >> 20;
            return Err(io::Error::other(format!(
                "it is longer than {limit} MiB: is a quotation mark left open?"
            )));
        }
        let count = self.inner.read(buffer)?;
        self.spent.set(self.spent.get() + count);
        Ok(count)
    }
}
