//! Names of a mapping that no part of it has: each with its line and the name that may be meant.
//!
//! The readers of the parts ask for what they need first, so that a mistyped name would be reported
//! as another one missing. Therefore all names are compared before anything is read, with those
//! that the readers themselves give.

use std::fmt;

use anyhow::bail;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kinds::Kind;
use super::mapping::{
    CustomerSpec, FileSpec, InstrumentSpec, MappingSpec, QuestionDefaults, QuestionSpec, RowSpec,
    TouchpointSpec,
};
use super::moment::TimeSpec;
use super::number::Numbers;
use super::template::ActivitiesSpec;
use super::value::ColumnSpec;
use crate::nearest::nearest;

/// Fails with every name that does not belong where it stands.
pub fn check(text: &str) -> anyhow::Result<()> {
    // What is no TOML at all is explained by its reader.
    let Ok(document) = DeTable::parse(text) else { return Ok(()) };
    let mut strange = Strange { text, found: Vec::new() };
    strange.mapping(document.get_ref());
    strange.found.sort_by_key(|(offset, _)| *offset);
    if strange.found.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = strange.found.into_iter().map(|(_, line)| line).collect();
    bail!(lines.join("\n"))
}

/// The fields of a type, as its reader names them.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It fails on purpose: all that is wanted of it is what it asks for.
    let _ = T::deserialize(Asked(&mut fields));
    fields
}

struct Asked<'a>(&'a mut &'static [&'static str]);

impl<'de> serde::Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("the fields are known"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("it has no fields"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

type Part<'a> = Spanned<DeValue<'a>>;

/// What does not belong, with the places.
struct Strange<'t> {
    text: &'t str,
    found: Vec<(usize, String)>,
}

impl Strange<'_> {
    fn mapping(&mut self, mapping: &DeTable<'_>) {
        self.names("the mapping", mapping, fields_of::<MappingSpec>());
        for (name, part) in mapping {
            match (name.get_ref().as_ref(), part.get_ref()) {
                ("system" | "case", _) => self.value(name.get_ref(), part),
                ("file", _) => self.table::<FileSpec>("[file]", part),
                ("row", _) => self.table::<RowSpec>("[row]", part),
                ("numbers", _) => self.table::<Numbers>("[numbers]", part),
                ("time", _) => self.table::<TimeSpec>("[time]", part),
                ("customer", _) => {
                    self.table::<CustomerSpec>("[customer]", part);
                    self.values("customer", part);
                }
                ("touchpoint", DeValue::Array(parts)) => {
                    parts.iter().for_each(|part| {
                        self.table::<TouchpointSpec>("[[touchpoint]]", part);
                    });
                }
                ("instrument", DeValue::Array(parts)) => {
                    parts.iter().for_each(|part| self.instrument(part));
                }
                ("event", DeValue::Array(parts)) => parts.iter().for_each(|part| self.event(part)),
                ("activities", DeValue::Table(table)) => {
                    self.table::<ActivitiesSpec>("[activities]", part);
                    table.get("otherwise").into_iter().for_each(|part| self.activity(part));
                    let events = table.get("events").and_then(|part| part.get_ref().as_table());
                    events.into_iter().flatten().for_each(|(_, part)| self.activity(part));
                }
                _ => {}
            }
        }
    }

    fn instrument(&mut self, part: &Part<'_>) {
        self.table::<InstrumentSpec>("[[instrument]]", part);
        let Some(table) = part.get_ref().as_table() else { return };
        if let Some(defaults) = table.get("defaults") {
            self.table::<QuestionDefaults>("[instrument.defaults]", defaults);
        }
        let questions = table.get("question").and_then(|part| part.get_ref().as_array());
        for question in questions.into_iter().flat_map(|questions| questions.iter()) {
            self.table::<QuestionSpec>("[[instrument.question]]", question);
        }
    }

    fn activity(&mut self, part: &Part<'_>) {
        match part.get_ref() {
            DeValue::String(_) => self.kind(part),
            DeValue::Array(parts) => parts.iter().for_each(|part| self.event(part)),
            _ => self.event(part),
        }
    }

    fn event(&mut self, part: &Part<'_>) {
        let Some(table) = part.get_ref().as_table() else { return };
        let Some(name) = table.get("type") else {
            // The reader asks for a type; whether a name comes near it is said here.
            self.names("an event", table, &["type"]);
            return;
        };
        let Some(kind) = name.get_ref().as_str().and_then(Kind::named) else {
            self.kind(name);
            return;
        };
        let mut known = vec!["type", "time", "when", "once_per_case"];
        if kind == Kind::ResponseSubmitted {
            known.push("attributes");
        }
        known.extend(kind.fields().iter().map(|field| field.name));
        self.names(kind.name(), table, &known);
        for (name, part) in table {
            match name.get_ref().as_ref() {
                "time" => self.table::<TimeSpec>("`time`", part),
                "when" => {
                    let conditions = part.get_ref().as_table().into_iter().flatten();
                    for (column, condition) in conditions {
                        let Some(table) = condition.get_ref().as_table() else { continue };
                        let place = format!("the condition on `{}`", column.get_ref());
                        self.names(&place, table, &["not", "present"]);
                    }
                }
                "attributes" => self.values("attributes", part),
                other if known.contains(&other) => self.value(other, part),
                _ => {}
            }
        }
    }

    /// The type of an event.
    fn kind(&mut self, part: &Part<'_>) {
        let Some(name) = part.get_ref().as_str() else { return };
        if Kind::named(name).is_some() {
            return;
        }
        let what = match nearest(name, Kind::ALL.iter().map(|kind| kind.name())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", Kind::names()),
        };
        self.note(part.span().start, format_args!("`{name}` is no type of event: {what}"));
    }

    /// All values of a table.
    fn values(&mut self, place: &str, part: &Part<'_>) {
        for (name, part) in part.get_ref().as_table().into_iter().flatten() {
            self.value(&format!("{place}.{}", name.get_ref()), part);
        }
    }

    fn value(&mut self, place: &str, part: &Part<'_>) {
        self.table::<ColumnSpec>(&format!("the value `{place}`"), part);
    }

    fn table<T: DeserializeOwned>(&mut self, place: &str, part: &Part<'_>) {
        if let Some(table) = part.get_ref().as_table() {
            self.names(place, table, fields_of::<T>());
        }
    }

    fn names(&mut self, place: &str, table: &DeTable<'_>, known: &[&str]) {
        for (name, _) in table {
            let word = name.get_ref().as_ref();
            if known.contains(&word) {
                continue;
            }
            let what = match nearest(word, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", known.join(", ")),
            };
            self.note(name.span().start, format_args!("{place} has no `{word}`: {what}"));
        }
    }

    fn note(&mut self, offset: usize, what: fmt::Arguments<'_>) {
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        self.found.push((offset, format!("line {line}: {what}")));
    }
}
