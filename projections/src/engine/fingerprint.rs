//! What a view's code makes of the canonical history: the name of its generation, and what its keys
//! and rows mean.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::generation::hex;
use crate::fold::Fold;
use crate::key::Key;
use crate::projection::Projection;
use crate::shape::Shape;

/// The name of the generation that this code makes of a view, and what its rows mean.
pub(crate) struct Fingerprint {
    pub generation: String,
    pub meaning: Meaning,
}

/// What the rows of a generation mean, as far as the canonical history shows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Meaning {
    /// The shape of a row.
    shape: String,
    /// Which event touches the row under which key, each pair as a number.
    touches: BTreeSet<u64>,
}

/// Folds the canonical history: a changed fold, helper, upcaster or encoding gives another name.
pub(crate) fn fingerprint<V: Projection>() -> Fingerprint {
    let mut fold = Fold::<V>::new();
    let mut touches = BTreeSet::new();
    for event in cx_model::canonical::history() {
        let keys = fold.fold_one(&event);
        touches.extend(keys.iter().map(|key| touch(event.ordinal, key)));
    }
    let mut hash = Sha256::new();
    hash.update(V::NAME.as_bytes());
    hash.update([0]);
    hash.update(V::REVISION.to_be_bytes());
    hash.update(fold.head().root.to_bytes());
    hash.update(fold.head().evidence_root.to_bytes());
    for stall in &fold.head().stalls {
        hash.update(stall.ordinal.to_be_bytes());
    }
    let mut seen = Shape::default();
    for (_, row, _) in fold.rows() {
        seen.see(&row);
        seen.see(&V::unpacked(&row));
    }
    let meaning = Meaning { shape: seen.fingerprint(), touches };
    Fingerprint { generation: hex(&hash.finalize()[..8]), meaning }
}

/// An event of the canonical history and the key of a row that it touches: the key's bytes, by which
/// the row is found, and what they say, since equal bytes of another type may say something else.
fn touch<K: Key>(ordinal: u64, key: &K) -> u64 {
    let mut hash = Sha256::new();
    hash.update(ordinal.to_be_bytes());
    hash.update(key.to_bytes());
    hash.update(format!("{key:?}"));
    let digest: [u8; 32] = hash.finalize().into();
    u64::from_be_bytes(std::array::from_fn(|place| digest[place]))
}

impl Meaning {
    /// Whether rows that were made with the other meaning may be read with this one.
    ///
    /// A fold that has more events touch more rows, or fewer, leaves to the others what they say. If
    /// an event touches a row that it did not, and no longer one that it did, the rows may be about
    /// something else.
    pub fn reads(&self, other: &Self) -> bool {
        self.shape == other.shape
            && (self.touches.is_subset(&other.touches) || other.touches.is_subset(&self.touches))
    }

    /// As a file keeps it: the shape, then a line for each pair.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.shape);
        for touch in &self.touches {
            let _ = writeln!(text, "{touch:016x}");
        }
        text
    }

    /// What a file says; `None` if it is no meaning.
    pub fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let shape = lines.next()?.to_owned();
        let touches = lines.map(|line| u64::from_str_radix(line, 16).ok());
        Some(Self { shape, touches: touches.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{OpenCase, Satisfaction};

    #[test]
    fn a_meaning_reads_back_from_its_file() {
        let meaning = fingerprint::<OpenCase>().meaning;
        assert!(!meaning.touches.is_empty());
        assert_eq!(Meaning::of_text(&meaning.to_text()).as_ref(), Some(&meaning));
        assert_eq!(Meaning::of_text(""), None);
        assert_eq!(Meaning::of_text("shape\nzero\n"), None);
        assert!(!meaning.reads(&fingerprint::<Satisfaction>().meaning));
    }

    #[test]
    fn equal_bytes_that_say_something_else_are_another_key() {
        assert_eq!(cx_model::Channel::ALL[0].to_bytes(), cx_model::Stage::ALL[0].to_bytes());
        assert_ne!(touch(1, &cx_model::Channel::ALL[0]), touch(1, &cx_model::Stage::ALL[0]));
        assert_ne!(touch(1, &7u32), touch(2, &7u32));
    }
}
