//! Rows of files with one JSON object a line.

use std::io::BufRead;
use std::sync::Arc;

use encoding_rs::Encoding;
use serde_json::Value;

use super::reader::Rows;
use super::row::{Columns, Fault, Row, Shape};
use super::source::{self, Lines, Source};

/// One JSON object a line. A value inside another is a column named by its path: `data.score`.
pub struct Json {
    lines: Lines<Box<dyn BufRead>>,
    line: Vec<u8>,
    encoding: &'static Encoding,
    shape: Option<Arc<Shape>>,
}

/// The column that keeps a line which is no JSON object.
pub const LINE: &str = "line";

impl Json {
    /// Reads from the first line on.
    pub fn new(source: Source) -> Self {
        let lines = Lines::new(source.bytes);
        Self { lines, line: Vec::new(), encoding: source.encoding, shape: None }
    }

    fn row(&mut self, columns: &Columns) -> Row {
        let line = self.lines.ended;
        let (text, valid) = source::text(&self.line, self.encoding);
        let unread = |reason: String| {
            let mut row = Row::of_pairs(line, &[(LINE.into(), text.to_string())], columns);
            row.fault = Some(Fault::row(reason));
            row
        };
        if !valid {
            return unread(format!("bytes that are not {}", self.encoding.name()));
        }
        let object = match serde_json::from_str(&text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return unread("the line is JSON but no object".into()),
            Err(error) => {
                return unread(format!("the line is no JSON (column {})", error.column()));
            }
        };
        let mut pairs = Vec::new();
        flatten(&mut pairs, String::new(), Value::Object(object));
        row_of(line, &pairs, &mut self.shape, columns)
    }
}

/// A row of these pairs that shares its shape with the row before it where it can.
pub fn row_of(
    line: u64,
    pairs: &[(String, String)],
    shape: &mut Option<Arc<Shape>>,
    columns: &Columns,
) -> Row {
    let fits = |shape: &Arc<Shape>| shape.names().iter().eq(pairs.iter().map(|(name, _)| name));
    let shape = if let Some(known) = shape.take().filter(fits) {
        shape.insert(known)
    } else {
        let names = pairs.iter().map(|(name, _)| name.clone()).collect();
        shape.insert(Arc::new(Shape::new(names, columns)))
    };
    let mut row = Row::new(line, shape.clone());
    for (_, value) in pairs {
        row.push(value);
    }
    row
}

/// Appends the members of a value under their paths: `data.score`, `lines.0.item`.
pub fn flatten(pairs: &mut Vec<(String, String)>, path: String, value: Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let inner = if path.is_empty() { name } else { format!("{path}.{name}") };
                flatten(pairs, inner, value);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.into_iter().enumerate() {
                flatten(pairs, format!("{path}.{place}"), item);
            }
        }
        Value::Null => pairs.push((path, String::new())),
        Value::String(text) => pairs.push((path, text)),
        other => pairs.push((path, other.to_string())),
    }
}

impl Rows for Json {
    fn next(&mut self, columns: &Columns) -> anyhow::Result<Option<Row>> {
        loop {
            if !self.lines.next_line(&mut self.line)? {
                return Ok(None);
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(self.row(columns)));
            }
        }
    }
}
