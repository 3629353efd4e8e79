//! One row of a file, whatever the file's format is.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::nearest::hint;

/// A column the mapping names: its place in every [`Shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(usize);

/// The columns that a mapping names.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    names: Vec<String>,
    required: Vec<bool>,
    slots: HashMap<String, Slot>,
}

impl Columns {
    /// The slot of a column. A column is required once any of its users requires it.
    pub fn slot(&mut self, name: &str, required: bool) -> Slot {
        let slot = *self.slots.entry(name.to_owned()).or_insert_with(|| {
            self.names.push(name.to_owned());
            self.required.push(false);
            Slot(self.names.len() - 1)
        });
        self.required[slot.0] |= required;
        slot
    }

    /// The name of a slot's column.
    pub fn name(&self, slot: Slot) -> &str {
        &self.names[slot.0]
    }

    /// The names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The required columns of which the file has none.
    pub fn missing(&self, has: impl Fn(&str) -> bool) -> Vec<&str> {
        let required = self.names.iter().zip(&self.required).filter(|(_, required)| **required);
        required.map(|(name, _)| name.as_str()).filter(|name| !has(name)).collect()
    }
}

/// The columns of a file, or of one row where each row names its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    names: Vec<String>,
    places: Vec<Option<usize>>,
    digest: [u8; 32],
}

impl Shape {
    /// Finds the mapping's columns among those of the file. Of two columns with one name the first
    /// is meant.
    pub fn new(names: Vec<String>, columns: &Columns) -> Self {
        let place = |wanted: &String| names.iter().position(|name| name == wanted);
        let places = columns.names.iter().map(place).collect();
        let mut hash = Sha256::new();
        for name in &names {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
        }
        Self { places, digest: hash.finalize().into(), names }
    }

    /// The names of the columns, in the file's order.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// Names of columns that are missing, each with the one that may be meant.
pub fn with_hints<'a, I: Iterator<Item = &'a str>>(
    missing: &[&str],
    known: impl Fn() -> I,
) -> String {
    let named = |name: &&str| format!("`{name}`{}", hint(name, known()));
    missing.iter().map(named).collect::<Vec<_>>().join(", ")
}

/// Why a row cannot be taken. The reason never quotes the row: it is shown outside the seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The column, where it is one column's fault.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl Fault {
    /// A fault of one column.
    pub fn of(column: &str, reason: impl Into<String>) -> Self {
        Self { column: Some(column.to_owned()), reason: reason.into() }
    }

    /// A fault of the row as a whole.
    pub fn row(reason: impl Into<String>) -> Self {
        Self { column: None, reason: reason.into() }
    }
}

/// One row: its values as text, in the order of its shape.
#[derive(Debug, Clone)]
pub struct Row {
    /// The line it begins on, counted from 1.
    pub line: u64,
    /// What the reader found wrong with it.
    pub fault: Option<Fault>,
    shape: Arc<Shape>,
    text: String,
    ends: Vec<usize>,
}

impl Row {
    /// A row without values yet.
    pub fn new(line: u64, shape: Arc<Shape>) -> Self {
        let ends = Vec::with_capacity(shape.names.len());
        Self { line, fault: None, shape, text: String::new(), ends }
    }

    /// A row of names and values.
    pub fn of_pairs(line: u64, pairs: &[(String, String)], columns: &Columns) -> Self {
        let names = pairs.iter().map(|(name, _)| name.clone()).collect();
        let mut row = Self::new(line, Arc::new(Shape::new(names, columns)));
        for (_, value) in pairs {
            row.push(value);
        }
        row
    }

    /// Adds the next value.
    pub fn push(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// How much memory its values take, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.text.len() + self.ends.len() * 8
    }

    fn value(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        Some(&self.text[start..end])
    }

    /// The value in a column that the mapping names, without the blanks around it; `None` where the
    /// row does not have the column or has nothing in it.
    pub fn get(&self, slot: Slot) -> Option<&str> {
        let value = self.value(self.shape.places.get(slot.0).copied().flatten()?)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Whether the row has this column, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.shape.names.iter().any(|known| known == name)
    }

    /// The names of its columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shape.names.iter().map(String::as_str)
    }

    /// All names and values. Values past the last column are named by their number.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let name = |place: usize| match self.shape.names.get(place) {
            Some(name) => name.clone(),
            None => format!("#{}", place + 1),
        };
        let value = |place| self.value(place).unwrap_or_default().to_owned();
        (0..self.ends.len()).map(|place| (name(place), value(place))).collect()
    }

    /// A digest of everything in the row, keyed: nobody without the key can try contents out.
    pub fn digest(&self, key: &[u8; 32]) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(key);
        hash.update(self.shape.digest);
        let mut start = 0;
        for end in &self.ends {
            hash.update(((end - start) as u64).to_be_bytes());
            start = *end;
        }
        hash.update(&self.text);
        let digest: [u8; 32] = hash.finalize().into();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_the_mapped_values_trimmed_and_blanks_as_nothing() {
        let mut columns = Columns::default();
        let (a, b, c) =
            (columns.slot("a", true), columns.slot("b", false), columns.slot("c", true));
        let row = Row::of_pairs(
            4,
            &[("b".into(), " x ".into()), ("unknown".into(), "y".into()), ("a".into(), " ".into())],
            &columns,
        );
        assert_eq!((row.get(a), row.get(b), row.get(c)), (None, Some("x"), None));
        assert_eq!(columns.missing(|name| row.has(name)), ["c"]);
    }

    #[test]
    fn the_digest_keeps_values_apart_and_needs_the_key() {
        let columns = Columns::default();
        let row = |a: &str, b: &str| {
            let pairs = [("a".into(), a.to_owned()), ("b".into(), b.to_owned())];
            Row::of_pairs(1, &pairs, &columns)
        };
        assert_eq!(row("1", "2").digest(&[0; 32]), row("1", "2").digest(&[0; 32]));
        assert_ne!(row("12", "").digest(&[0; 32]), row("1", "2").digest(&[0; 32]));
        assert_ne!(row("1", "2").digest(&[0; 32]), row("1", "2").digest(&[1; 32]));
    }
}
