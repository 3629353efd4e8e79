//! The hash of the maps in memory: folded multiplication, keyed at random for each map, so that
//! nobody outside can choose names that collide.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Makes hashers with the key of one map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keyed(u64, u64);

impl Default for Keyed {
    fn default() -> Self {
        let random = RandomState::new();
        Self(random.hash_one(0_u8), random.hash_one(1_u8) | 1)
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { state: self.0, key: self.1 }
    }
}

/// See [`Keyed`].
pub(crate) struct Folded {
    state: u64,
    key: u64,
}

impl Folded {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.key);
        self.state = (product as u64) ^ ((product >> 64) as u64);
        // A word that makes one state zero must not make the next one.
        self.key = self.key.rotate_left(23);
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.fold(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
        let rest = words.remainder();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.fold(u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, number: u8) {
        self.fold(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        self.fold(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.fold(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.fold(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.state ^ self.key) * 0x9e37_79b9_7f4a_7c15_u128;
        (product as u64) ^ ((product >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_that_differ_little_have_different_hashes() {
        let keyed = Keyed::default();
        let mut hashes = std::collections::HashSet::new();
        for n in 0..50_000_u64 {
            hashes.insert(keyed.hash_one(n));
            hashes.insert(keyed.hash_one(uuid::Uuid::from_u64_pair(7, n)));
            hashes.insert(keyed.hash_one(format!("customer-{n}")));
        }
        assert_eq!(hashes.len(), 150_000);
        let low: std::collections::HashSet<_> = hashes.iter().map(|hash| hash & 0xf_ffff).collect();
        let high: std::collections::HashSet<_> = hashes.iter().map(|hash| hash >> 44).collect();
        // 150,000 balls in 2^20 urns meet about 139,700 of them.
        assert!(low.len() > 138_000 && high.len() > 138_000, "{} {}", low.len(), high.len());
    }
}
