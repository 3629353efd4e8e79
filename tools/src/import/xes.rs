//! Rows of event logs in the XES format (IEEE 1849).

use std::io::BufRead;
use std::sync::Arc;

use anyhow::{Context, bail};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::json::row_of;
use super::reader::Rows;
use super::row::{Columns, Fault, Row, Shape};
use super::source::{Lines, ROW_LIMIT, Source};

/// What stands before the name of a trace's attribute: `trace:concept:name`.
pub const TRACE: &str = "trace:";

/// One event of a log is a row. Its attributes are columns by their keys, those of its trace have
/// `trace:` before them, and an attribute inside another is named by its path: `cost/total`.
pub struct Xes {
    reader: quick_xml::Reader<Lines<Box<dyn BufRead>>>,
    buffer: Vec<u8>,
    shape: Option<Arc<Shape>>,
    trace: Vec<(String, String)>,
    event: Vec<(String, String)>,
    size: usize,
    line: u64,
    place: Place,
    path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Log,
    Global,
    Trace,
    Event { in_trace: bool },
}

impl Xes {
    /// Reads from the start on.
    pub fn new(source: Source) -> Self {
        Self {
            reader: quick_xml::Reader::from_reader(Lines::new(source.into_utf8())),
            buffer: Vec::new(),
            shape: None,
            trace: Vec::new(),
            event: Vec::new(),
            size: 0,
            line: 1,
            place: Place::Log,
            path: Vec::new(),
        }
    }

    fn begin(&mut self, tag: &BytesStart<'_>, line: u64, empty: bool) -> anyhow::Result<()> {
        match (self.place, tag.name().as_ref()) {
            (Place::Log, "log" | "extension" | "classifier") => {}
            (Place::Log, "global") if !empty => self.place = Place::Global,
            (Place::Log, "trace") => {
                self.trace.clear();
                self.path.clear();
                self.place = if empty { Place::Log } else { Place::Trace };
            }
            (Place::Log | Place::Trace, "event") => {
                let in_trace = self.place == Place::Trace;
                if !in_trace {
                    self.trace.clear();
                }
                self.event.clear();
                self.path.clear();
                self.size = 0;
                self.line = line;
                self.place = Place::Event { in_trace };
            }
            _ => self.attribute(tag, empty)?,
        }
        Ok(())
    }

    fn attribute(&mut self, tag: &BytesStart<'_>, empty: bool) -> anyhow::Result<()> {
        let (mut key, mut value) = (None, None);
        for attribute in tag.attributes() {
            let attribute = attribute?;
            let text = || attribute.normalized_value(XmlVersion::Explicit1_0);
            match attribute.key.as_ref() {
                "key" => key = Some(text()?.into_owned()),
                "value" => value = Some(text()?.into_owned()),
                _ => {}
            }
        }
        let keys = self.path.iter().chain(&key).map(String::as_str).filter(|key| !key.is_empty());
        let name = keys.collect::<Vec<_>>().join("/");
        if let Some(value) = value {
            self.size += name.len() + value.len();
            if self.size > ROW_LIMIT {
                bail!("one event is larger than {} MiB", ROW_LIMIT >> 20);
            }
            match self.place {
                Place::Trace => self.trace.push((format!("{TRACE}{name}"), value)),
                Place::Event { .. } => self.event.push((name, value)),
                Place::Log | Place::Global => {}
            }
        }
        if !empty {
            self.path.push(key.unwrap_or_default());
        }
        Ok(())
    }

    /// Whether an event ended here.
    fn end(&mut self, name: &str) -> bool {
        match (self.place, name) {
            (Place::Event { in_trace }, "event") => {
                self.place = if in_trace { Place::Trace } else { Place::Log };
                self.size = 0;
                return true;
            }
            (Place::Trace, "trace") | (Place::Global, "global") => self.place = Place::Log,
            (Place::Log, "log" | "extension" | "classifier") => {}
            _ => {
                self.path.pop();
            }
        }
        false
    }

    fn row(&mut self, columns: &Columns) -> Row {
        let mut pairs = std::mem::take(&mut self.event);
        pairs.extend(self.trace.iter().cloned());
        let mut row = row_of(self.line, &pairs, &mut self.shape, columns);
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.contains('\u{fffd}')) {
            row.fault = Some(Fault::of(name, "bytes that are not of the file's encoding"));
        }
        row
    }

    fn step(&mut self) -> anyhow::Result<Option<bool>> {
        let line = self.reader.get_ref().ended + 1;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let event = self
            .reader
            .read_event_into(&mut buffer)
            .with_context(|| format!("line {line}: the file is no well-formed XML from here on"))?;
        let ended = match event {
            Event::Start(tag) => self.begin(&tag, line, false).map(|()| Some(false)),
            Event::Empty(tag) if tag.name().as_ref() == "event" => {
                self.begin(&tag, line, true)?;
                Ok(Some(self.end("event")))
            }
            Event::Empty(tag) => self.begin(&tag, line, true).map(|()| Some(false)),
            Event::End(tag) => Ok(Some(self.end(tag.name().as_ref()))),
            Event::Eof if self.place != Place::Log => {
                bail!("line {line}: the file ends in the middle of a trace or event")
            }
            Event::Eof => Ok(None),
            _ => Ok(Some(false)),
        };
        self.buffer = buffer;
        ended.with_context(|| format!("line {line}"))
    }
}

impl Rows for Xes {
    fn next(&mut self, columns: &Columns) -> anyhow::Result<Option<Row>> {
        loop {
            match self.step()? {
                Some(true) => return Ok(Some(self.row(columns))),
                Some(false) => {}
                None => return Ok(None),
            }
        }
    }
}
