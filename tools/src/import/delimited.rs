//! Rows of comma-separated and of blank-separated files.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, bail};
use encoding_rs::Encoding;

use super::mapping::{FileSpec, Format, Ragged};
use super::reader::Rows;
use super::row::{Columns, Fault, Row, Shape, with_hints};
use super::source::{self, Lines, ROW_LIMIT, Source};

/// A byte-order mark, which programs that join files leave in their middle as well.
const MARK: char = '\u{feff}';
/// So many names are printed where a file has other columns than the mapping names.
const PRINTED: usize = 60;

/// Rows whose columns are parted by a character, with quotation marks around what holds it.
pub struct Delimited {
    reader: csv::Reader<Budgeted>,
    spent: Rc<Cell<usize>>,
    record: csv::ByteRecord,
    ends: Rc<Cell<Ends>>,
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
        let (spent, ends) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(Ends::Unseen(0))));
        let inner = source.bytes;
        let bytes = Budgeted { inner, spent: spent.clone(), ends: ends.clone() };
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
        Ok(Self { reader, spent, record, ends, table })
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
        let begin = self.record.position();
        // The reader counts a line with the last character of its end, and takes the second of two
        // together with the row that follows.
        let two = matches!(self.ends.get(), Ends::Two);
        let behind_another = two && begin.is_some_and(|begin| begin.byte() > 0);
        let line = begin.map_or(line, csv::Position::line) + u64::from(behind_another);
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

/// A name as the file writes it, without what some programs leave around it.
fn header(name: &[u8], encoding: &'static Encoding) -> String {
    source::text(name, encoding).0.trim().trim_matches(MARK).trim().to_owned()
}

/// Fails if names of columns hold what no name does: then the line is not one of names.
fn check_header(names: &[String], encoding: &'static Encoding) -> anyhow::Result<()> {
    let strange = |c: char| c == '\u{fffd}' || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    let Some(place) = names.iter().position(|name| name.contains(strange)) else { return Ok(()) };
    let found = names[place].chars().find(|c| strange(*c)).unwrap_or_default();
    bail!(
        "column {} has U+{:04X} in its name, which no name has: its first line does not name the \
         columns, or its encoding is not {} (say `encoding` in the mapping), or it is packed",
        place + 1,
        u32::from(found),
        encoding.name()
    )
}

/// The columns that a file has, and the delimiter that it may have been meant to be read with.
fn described(names: &[String], spec: &FileSpec) -> String {
    let shown: Vec<String> =
        names.iter().take(PRINTED).map(|name| name.escape_debug().to_string()).collect();
    let more = names.len().saturating_sub(PRINTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let others = [";", "\t", "|", ","].into_iter();
    let other = others.filter(|other| other.as_bytes() != [spec.delimiter().unwrap_or(b',')]);
    let delimiter = match (spec.format, names) {
        (Format::Csv, [one]) => {
            let most = other.max_by_key(|other| one.matches(other).count());
            most.filter(|other| one.contains(other)).map(|other| {
                format!("\nis its delimiter another? try `delimiter = {other:?}` in [file]")
            })
        }
        _ => None,
    };
    format!("the file has: {}{more}{}", shown.join(", "), delimiter.unwrap_or_default())
}

impl Table {
    fn new(
        names: Vec<String>,
        encoding: &'static Encoding,
        spec: &FileSpec,
        columns: &Columns,
    ) -> anyhow::Result<Self> {
        check_header(&names, encoding)?;
        let missing = columns.missing(|name| names.iter().any(|known| known == name));
        if !missing.is_empty() {
            bail!(
                "the mapping names columns that the file does not have: {}\n{}\n\
                 correct the names in the mapping, or say `optional = true` where a column may be \
                 left out",
                with_hints(&missing, || names.iter().map(String::as_str)),
                described(&names, spec)
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

/// How the lines of a file end, by its first.
#[derive(Clone, Copy)]
enum Ends {
    /// The last byte that was seen.
    Unseen(u8),
    One,
    Two,
}

impl Ends {
    fn look(self, bytes: &[u8]) -> Self {
        let Self::Unseen(last) = self else { return self };
        match bytes.iter().position(|&byte| byte == b'\n') {
            Some(at) => match at.checked_sub(1).map_or(last, |before| bytes[before]) {
                b'\r' => Self::Two,
                _ => Self::One,
            },
            None => Self::Unseen(bytes.last().copied().unwrap_or(last)),
        }
    }
}

/// Refuses to read on when one row has used up its budget, and looks how lines end.
struct Budgeted {
    inner: Box<dyn BufRead>,
    spent: Rc<Cell<usize>>,
    ends: Rc<Cell<Ends>>,
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
        self.ends.set(self.ends.get().look(&buffer[..count]));
        Ok(count)
    }
}
