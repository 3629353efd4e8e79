//! Which ids the ledger holds: hashes in memory, eight bytes an event, to be confirmed by reading.

use uuid::Uuid;

const SHARD_BITS: u32 = 10;
const TAG_BITS: u32 = 24;
const POSITION_BITS: u32 = 40;
const POSITION_MASK: u64 = (1 << POSITION_BITS) - 1;

/// The last position that the table can name: a log of more events needs another table.
pub(crate) const LAST_POSITION: u64 = POSITION_MASK;

/// The hash of an id. It is keyed by the ledger's id, which nobody outside knows.
pub(crate) fn id_hash(ledger: Uuid, id: Uuid) -> u64 {
    let (key_high, key_low) = ledger.as_u64_pair();
    let (high, low) = id.as_u64_pair();
    let product = u128::from(high ^ key_high) * u128::from(low ^ key_low | 1);
    let folded = (product as u64) ^ ((product >> 64) as u64) ^ high.rotate_left(32) ^ low;
    folded.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// From hashes of ids to positions: open addressing in shards, so that growth never moves
/// everything at once. Ten bits of the hash choose the shard, 24 stand beside the position.
#[derive(Debug)]
pub(crate) struct IdTable {
    shards: Vec<Shard>,
}

/// A part of the table.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shard {
    /// A tag above, a position below; 0 is free, since positions count from 1.
    slots: Vec<u64>,
    used: usize,
    deferred: Vec<u64>,
}

impl Default for IdTable {
    fn default() -> Self {
        Self { shards: vec![Shard::default(); 1 << SHARD_BITS] }
    }
}

impl IdTable {
    fn parts(hash: u64) -> (usize, u64) {
        let shard = (hash >> (64 - SHARD_BITS)) as usize;
        (shard, (hash >> (64 - SHARD_BITS - TAG_BITS)) & ((1 << TAG_BITS) - 1))
    }

    /// Adds the position of an id with this hash.
    pub fn insert(&mut self, hash: u64, position: u64) {
        debug_assert!(position > 0 && position <= LAST_POSITION);
        let (shard, tag) = Self::parts(hash);
        self.shards[shard].insert(tag << POSITION_BITS | position);
    }

    /// The shards, to be filled side by side by [`defer`] and [`settle`].
    pub fn shards(&mut self) -> &mut [Shard] {
        &mut self.shards
    }

    /// The positions at which an id with this hash may stand.
    pub fn candidates(&self, hash: u64) -> impl Iterator<Item = u64> + '_ {
        let (shard, tag) = Self::parts(hash);
        self.shards[shard].candidates(tag)
    }
}

/// Keeps the position of an id with this hash for [`settle`], if its shard is one of these, of which
/// the first has this number: many at once are put in place shard by shard, which is several times
/// faster.
pub(crate) fn defer(shards: &mut [Shard], first: usize, hash: u64, position: u64) {
    let (shard, tag) = IdTable::parts(hash);
    if let Some(shard) = shard.checked_sub(first).and_then(|shard| shards.get_mut(shard)) {
        shard.deferred.push(tag << POSITION_BITS | position);
    }
}

/// Puts all deferred positions in place.
pub(crate) fn settle(shards: &mut [Shard]) {
    for shard in shards {
        let deferred = std::mem::take(&mut shard.deferred);
        shard.reserve(deferred.len());
        for entry in deferred {
            shard.place(entry);
            shard.used += 1;
        }
    }
}

impl Shard {
    fn first_slot(&self, tag: u64) -> usize {
        let bits = self.slots.len().trailing_zeros().min(TAG_BITS);
        (tag >> (TAG_BITS - bits)) as usize
    }

    fn insert(&mut self, entry: u64) {
        self.reserve(1);
        self.place(entry);
        self.used += 1;
    }

    /// Makes room for so many more.
    fn reserve(&mut self, more: usize) {
        let mut size = self.slots.len().max(8);
        while (self.used + more) * 4 > size * 3 {
            size *= 2;
        }
        if size > self.slots.len() && more > 0 {
            for entry in std::mem::replace(&mut self.slots, vec![0; size]) {
                if entry != 0 {
                    self.place(entry);
                }
            }
        }
    }

    fn place(&mut self, entry: u64) {
        let mask = self.slots.len() - 1;
        let mut slot = self.first_slot(entry >> POSITION_BITS);
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = entry;
    }

    fn candidates(&self, tag: u64) -> impl Iterator<Item = u64> + '_ {
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = if self.slots.is_empty() { 0 } else { self.first_slot(tag) };
        std::iter::from_fn(move || {
            while !self.slots.is_empty() && self.slots[slot] != 0 {
                let entry = self.slots[slot];
                slot = (slot + 1) & mask;
                if entry >> POSITION_BITS == tag {
                    return Some(entry & POSITION_MASK);
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    #[test]
    fn every_inserted_id_is_found_and_strangers_hardly_ever() {
        let mut random = Seeded::new(1);
        let ledger = random.id();
        let ids: Vec<_> = (0..200_000).map(|_| random.id()).collect();
        let mut table = IdTable::default();
        for (n, &id) in ids.iter().enumerate() {
            match n % 2 {
                0 => table.insert(id_hash(ledger, id), n as u64 + 1),
                _ => defer(table.shards(), 0, id_hash(ledger, id), n as u64 + 1),
            }
        }
        settle(table.shards());
        for (n, &id) in ids.iter().enumerate() {
            let mut found = table.candidates(id_hash(ledger, id));
            assert!(found.any(|position| position == n as u64 + 1));
        }
        let strangers = (0..200_000)
            .filter(|_| table.candidates(id_hash(ledger, random.id())).next().is_some());
        assert!(strangers.count() < 50);
    }

    #[test]
    fn ids_that_differ_in_one_bit_or_count_up_spread_over_the_table() {
        let ledger = Seeded::new(2).id();
        let hashes: std::collections::HashSet<_> =
            (0..100_000u128).map(|n| id_hash(ledger, Uuid::from_u128(n)) >> 30).collect();
        assert!(hashes.len() > 99_900, "{}", hashes.len());
    }
}
