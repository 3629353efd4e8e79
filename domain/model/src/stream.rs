//! The names of streams.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// The name of a stream: a category, a dash and an id, such as `customer-6f1c…`.
///
/// Ids are random or keyed hashes, never a person's name, address or number in another system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

/// The longest stream name, in bytes.
pub const STREAM_NAME_LIMIT: usize = 512;

/// The text cannot name a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream name has 1 to {STREAM_NAME_LIMIT} bytes and no control characters")]
pub struct StreamNameError;

impl StreamName {
    /// Checks and takes a name.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, StreamNameError> {
        let name = name.into();
        let fits = (1..=STREAM_NAME_LIMIT).contains(&name.len());
        if fits && !name.chars().any(char::is_control) {
            Ok(Self(name))
        } else {
            Err(StreamNameError)
        }
    }

    /// The stream of one thing of a category: `category-uuid`.
    pub fn of(category: &str, id: Uuid) -> Self {
        let mut buffer = Uuid::encode_buffer();
        let id = id.hyphenated().encode_lower(&mut buffer);
        let mut name = String::with_capacity(category.len() + 1 + id.len());
        name.push_str(category);
        name.push('-');
        name.push_str(id);
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first dash, or the whole name where there is none.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(category, _)| category)
    }

    /// The part after the first dash as an id, where it is one.
    pub fn id(&self) -> Option<Uuid> {
        let (_, id) = self.0.split_once('-')?;
        Uuid::try_parse(id).ok()
    }

    /// The id, if the stream is of this category.
    pub fn id_in(&self, category: &str) -> Option<Uuid> {
        if self.category() == category { self.id() } else { None }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StreamName {
    type Err = StreamNameError;

    fn from_str(text: &str) -> Result<Self, StreamNameError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_category_and_an_id() {
        let id = Uuid::from_u128(7);
        let name = StreamName::of("customer", id);
        assert_eq!(name.as_str(), "customer-00000000-0000-0000-0000-000000000007");
        assert_eq!(name.category(), "customer");
        assert_eq!(name.id_in("customer"), Some(id));
        assert_eq!(name.id_in("account"), None);
        assert_eq!(StreamName::new("plain").unwrap().category(), "plain");
    }

    #[test]
    fn empty_long_and_control_names_are_refused() {
        for name in [String::new(), "a".repeat(513), "a\nb".into()] {
            assert_eq!(StreamName::new(name), Err(StreamNameError));
        }
    }
}
