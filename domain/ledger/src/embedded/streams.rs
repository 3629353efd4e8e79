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

/// All streams, in parts that several threads can fill side by side. The last bits of a stream's
/// number say in which part it is.
#[derive(Debug)]
pub(crate) struct Streams {
    parts: Vec<Part>,
}

/// Into how many parts the streams are divided.
pub(crate) const PARTS: usize = 16;

/// Some of the streams, by their names alone.
#[derive(Debug, Default)]
pub(crate) struct Part {
    keys: HashMap<Key, u32, Keyed>,
    categories: Vec<Box<str>>,
    positions: Vec<Vec<u64>>,
}

/// The category and the id of a name of the common form: the id in lower case with hyphens.
fn split(name: &str) -> Option<(&str, Uuid)> {
    let (category, id) = name.split_once('-')?;
    let plain = id.len() == 36 && !id.bytes().any(|byte| byte.is_ascii_uppercase());
    let id = plain.then(|| Uuid::try_parse_ascii(id.as_bytes()).ok()).flatten()?;
    Some((category, id))
}

/// The id in a name of the common form.
pub(crate) fn id_of(name: &str) -> Option<Uuid> {
    split(name).map(|(_, id)| id)
}

/// The category in a name of the common form.
pub(crate) fn category_of(name: &str) -> &str {
    &name[..name.len() - 37]
}

/// The part of the stream with this name; `id` is that of a name of the common form.
pub(crate) fn part_of(name: &str, id: Option<Uuid>) -> usize {
    let hash = id.map_or_else(
        || u64::from(crc32c::crc32c(name.as_bytes())),
        |id| {
            let (high, low) = id.as_u64_pair();
            (high ^ low).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
        },
    );
    hash as usize % PARTS
}

impl Part {
    fn place(&self, name: &str, id: Option<Uuid>) -> Option<u32> {
        let short = id.and_then(|id| {
            let category = category_of(name);
            let number = self.categories.iter().position(|known| **known == *category)?;
            Some(Key::Short(number as u16, id))
        });
        self.keys.get(&short.unwrap_or_else(|| Key::Whole(name.into()))).copied()
    }

    /// The number of a category, which is new if need be; `None` if there are too many.
    fn category(&mut self, category: &str) -> Option<u16> {
        let known = self.categories.iter().position(|known| **known == *category);
        if known.is_none() && self.categories.len() < CATEGORIES {
            self.categories.push(category.into());
            return Some(self.categories.len() as u16 - 1);
        }
        known.map(|number| number as u16)
    }

    /// The place of the stream with this id in a category.
    pub fn intern_short(&mut self, category: &str, id: Uuid) -> usize {
        match self.category(category) {
            Some(number) => self.intern_key(Key::Short(number, id)),
            None => self.intern_key(Key::Whole(format!("{category}-{id}").into())),
        }
    }

    /// The place of a stream in this part, which is new if need be; `id` is that of its name.
    pub fn intern(&mut self, name: &str, id: Option<Uuid>) -> usize {
        match id {
            Some(id) => self.intern_short(category_of(name), id),
            None => self.intern_key(Key::Whole(name.into())),
        }
    }

    fn intern_key(&mut self, key: Key) -> usize {
        let next = self.positions.len();
        let place = *self.keys.entry(key).or_insert(next as u32) as usize;
        if place == next {
            self.positions.push(Vec::new());
        }
        place
    }

    /// Adds the next event of the stream at a place.
    pub fn push(&mut self, place: usize, position: u64) {
        self.positions[place].push(position);
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self { parts: (0..PARTS).map(|_| Part::default()).collect() }
    }
}

impl Streams {
    /// The parts, to be filled side by side.
    pub fn parts(&mut self) -> &mut [Part] {
        &mut self.parts
    }

    /// The number of a stream that has events; `id` is that of its name.
    pub fn find(&self, name: &str, id: Option<Uuid>) -> Option<StreamNumber> {
        let number = part_of(name, id);
        let place = self.parts[number].place(name, id)?;
        Some(place * PARTS as u32 + number as u32)
    }

    /// The number of a stream, which is new if need be; `id` is that of its name.
    pub fn intern(&mut self, name: &str, id: Option<Uuid>) -> StreamNumber {
        let number = part_of(name, id);
        (self.parts[number].intern(name, id) * PARTS + number) as StreamNumber
    }

    /// The positions of a stream's events, by revision.
    pub fn positions(&self, number: StreamNumber) -> &[u64] {
        let number = number as usize;
        &self.parts[number % PARTS].positions[number / PARTS]
    }

    /// Adds the next event of a stream.
    pub fn push(&mut self, number: StreamNumber, position: u64) {
        let number = number as usize;
        self.parts[number % PARTS].push(number / PARTS, position);
    }

    /// How many streams there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.positions.len()).sum()
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
        let numbers: Vec<_> = names.iter().map(|name| streams.intern(name, id_of(name))).collect();
        let different: std::collections::HashSet<_> = numbers.iter().collect();
        assert_eq!((different.len(), streams.len()), (names.len(), names.len()));
        for (&number, name) in numbers.iter().zip(&names) {
            assert_eq!(streams.find(name, id_of(name)), Some(number), "{name}");
        }
        for n in 0..400 {
            let name = format!("category{n}-{id}");
            let id = id_of(&name);
            assert_eq!(streams.find(&name, id), None);
            let number = streams.intern(&name, id);
            let again = (streams.find(&name, id), streams.intern(&name, id));
            assert_eq!(again, (Some(number), number));
        }
    }
}
