//! Which events each stream has: names in a compact form, positions in order of revision.

use std::collections::HashMap;

use uuid::Uuid;

use super::keyed::Keyed;

/// More categories than this are kept as whole names.
const CATEGORIES: usize = 256;

/// A stream's number in memory. It is not written anywhere.
pub(crate) type StreamNumber = u32;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// `category-uuid`, as nearly all are.
    Short(u16, Uuid),
    Whole(Box<str>),
}

/// All streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    keys: HashMap<Key, StreamNumber, Keyed>,
    categories: Vec<Box<str>>,
    positions: Vec<Vec<u64>>,
}

/// The category and the id of a name of the common form: the id in lower case with hyphens.
pub(crate) fn split(name: &str) -> Option<(&str, Uuid)> {
    let (category, id) = name.split_once('-')?;
    let plain = id.len() == 36 && !id.bytes().any(|byte| byte.is_ascii_uppercase());
    let id = plain.then(|| Uuid::try_parse_ascii(id.as_bytes()).ok()).flatten()?;
    Some((category, id))
}

impl Streams {
    fn key(&self, name: &str) -> Key {
        if let Some((category, id)) = split(name)
            && let Some(number) = self.categories.iter().position(|known| **known == *category)
        {
            return Key::Short(number as u16, id);
        }
        Key::Whole(name.into())
    }

    /// The number of a stream that has events.
    pub fn find(&self, name: &str) -> Option<StreamNumber> {
        self.keys.get(&self.key(name)).copied()
    }

    /// The number of a category, which is new if need be; `None` if there are too many.
    pub fn category(&mut self, category: &str) -> Option<u16> {
        let known = self.categories.iter().position(|known| **known == *category);
        if known.is_none() && self.categories.len() < CATEGORIES {
            self.categories.push(category.into());
            return Some(self.categories.len() as u16 - 1);
        }
        known.map(|number| number as u16)
    }

    /// The number of a stream, which is new if need be.
    pub fn intern(&mut self, name: &str) -> StreamNumber {
        match split(name).and_then(|(category, id)| Some((self.category(category)?, id))) {
            Some((category, id)) => self.intern_short(category, id),
            None => self.intern_key(Key::Whole(name.into())),
        }
    }

    /// The number of the stream with this id in a category.
    pub fn intern_short(&mut self, category: u16, id: Uuid) -> StreamNumber {
        self.intern_key(Key::Short(category, id))
    }

    fn intern_key(&mut self, key: Key) -> StreamNumber {
        let next = self.positions.len() as StreamNumber;
        let number = *self.keys.entry(key).or_insert(next);
        if number == next {
            self.positions.push(Vec::new());
        }
        number
    }

    /// The positions of a stream's events, by revision.
    pub fn positions(&self, number: StreamNumber) -> &[u64] {
        &self.positions[number as usize]
    }

    /// Adds the next event of a stream.
    pub fn push(&mut self, number: StreamNumber, position: u64) {
        self.positions[number as usize].push(position);
    }

    /// How many streams there are.
    pub fn len(&self) -> usize {
        self.positions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_are_different_streams() {
        let id = "00000000-0000-0000-0000-00000000000a";
        let mut streams = Streams::default();
        let names = [
            format!("customer-{id}"),
            format!("case-{id}"),
            format!("customer-{}", id.to_uppercase()),
            format!("customer-{}", id.replace('-', "")),
            format!("customer-{{{id}}}"),
            "customer".into(),
            format!("-{id}"),
        ];
        let numbers: Vec<_> = names.iter().map(|name| streams.intern(name)).collect();
        assert_eq!(numbers, (0..names.len() as u32).collect::<Vec<_>>());
        for (number, name) in names.iter().enumerate() {
            assert_eq!(streams.find(name), Some(number as u32), "{name}");
        }
        for n in 0..400 {
            let name = format!("category{n}-{id}");
            assert_eq!(streams.find(&name), None);
            let number = streams.intern(&name);
            assert_eq!((streams.find(&name), streams.intern(&name)), (Some(number), number));
        }
    }
}
