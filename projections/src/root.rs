//! The fingerprint of a view: a sum over its rows that any order of changes leaves the same.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A 256-bit sum of the SHA-256 of every row with its key.
///
/// Equal rows give equal roots, however they came about. It finds accidents; it is no proof against
/// someone who chooses rows on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Root([u64; 4]);

impl Root {
    /// The fingerprint of one row.
    pub fn of_row(key: &[u8], row: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update((key.len() as u32).to_be_bytes());
        hash.update(key);
        hash.update(row);
        let digest: [u8; 32] = hash.finalize().into();
        let word = |place: usize| {
            let bytes = digest[place * 8..place * 8 + 8].try_into().expect("eight of 32 bytes");
            u64::from_le_bytes(bytes)
        };
        Self([word(0), word(1), word(2), word(3)])
    }

    /// Takes a row in.
    pub fn add(&mut self, row: Self) {
        let mut carry = false;
        for (mine, theirs) in self.0.iter_mut().zip(row.0) {
            let (sum, over) = mine.overflowing_add(theirs);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *mine = sum;
            carry = over || over_again;
        }
    }

    /// Takes a row out.
    pub fn subtract(&mut self, row: Self) {
        let mut borrow = false;
        for (mine, theirs) in self.0.iter_mut().zip(row.0) {
            let (rest, under) = mine.overflowing_sub(theirs);
            let (rest, under_again) = rest.overflowing_sub(u64::from(borrow));
            *mine = rest;
            borrow = under || under_again;
        }
    }

    /// The root as 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, word) in self.0.iter().rev().enumerate() {
            bytes[place * 8..place * 8 + 8].copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_come_and_go_in_any_order() {
        let rows: Vec<Root> = (0..100u8).map(|n| Root::of_row(&[n], b"row")).collect();
        let mut forwards = Root::default();
        for row in &rows {
            forwards.add(*row);
        }
        let mut backwards = Root::default();
        rows.iter().rev().for_each(|row| backwards.add(*row));
        assert_eq!(forwards, backwards);
        for row in &rows {
            forwards.subtract(*row);
        }
        assert_eq!(forwards, Root::default());
        forwards.subtract(rows[0]);
        forwards.add(rows[0]);
        assert_eq!(forwards, Root::default());
    }
}
