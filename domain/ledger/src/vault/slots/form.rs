//! The bytes of a key store.
//!
//! ```text
//! 0     header   "CXVAULT1" version:u32 slot:u32 salt:32 nonce:24 secret:48 crc:u32
//! 2048  the header once more, so that one bad sector does not close the store
//! 4096  slots of 128 bytes, numbered from 0:
//!       state:u8 zero:7 number:u64 customer:16 nonce:24 key:48 crc:u32 zero:20
//! ```
//!
//! Numbers are little endian; each CRC-32C covers what stands before it. State 0 is empty, 1 holds
//! a wrapped key, 2 is a tombstone: the key bytes are zeros and nobody makes a key for that customer
//! again. A slot lies within one sector, so a power cut leaves it as it was or as it was to be. The
//! file grows by prewritten zeros, so that a sync does not have to write the file's length too.

use cx_model::CustomerId;
use uuid::Uuid;

const MAGIC: &[u8; 8] = b"CXVAULT1";
pub(super) const HEADER: usize = 124;
pub(super) const SECOND_HEADER: u64 = 2048;
pub(super) const FIRST_SLOT: u64 = 4096;
pub(super) const SLOT: usize = 128;
/// No file has a slot with this number.
pub(super) const MOST: u64 = (i64::MAX as u64 - FIRST_SLOT) / SLOT as u64;

/// A key under another key: a nonce and the ciphertext with its tag.
#[derive(Clone, Copy)]
pub(in crate::vault) struct Wrapped {
    pub(in crate::vault) nonce: [u8; 24],
    pub(in crate::vault) key: [u8; 48],
}

/// What the store's header holds.
pub(in crate::vault) struct Header {
    pub(in crate::vault) salt: [u8; 32],
    pub(in crate::vault) secret: Wrapped,
}

/// What a slot holds.
#[derive(Clone, Copy)]
pub(in crate::vault) enum Held {
    /// A key.
    Live(Wrapped),
    /// Nothing any more.
    Destroyed,
    /// Bytes that are not what was written.
    Damaged,
}

#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) customer: CustomerId,
    pub(super) held: Held,
}

pub(super) fn place(number: u64) -> u64 {
    FIRST_SLOT.saturating_add(number.saturating_mul(SLOT as u64))
}

pub(super) fn write_header(header: &Header) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
    bytes[12..16].copy_from_slice(&(SLOT as u32).to_le_bytes());
    bytes[16..48].copy_from_slice(&header.salt);
    bytes[48..72].copy_from_slice(&header.secret.nonce);
    bytes[72..120].copy_from_slice(&header.secret.key);
    let crc = crc32c::crc32c(&bytes[..120]);
    bytes[120..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn read_header(bytes: &[u8]) -> Option<Header> {
    let known = bytes.starts_with(MAGIC)
        && bytes[8..12] == 1_u32.to_le_bytes()
        && bytes[12..16] == (SLOT as u32).to_le_bytes()
        && bytes[120..] == crc32c::crc32c(&bytes[..120]).to_le_bytes();
    known.then(|| Header { salt: copy(&bytes[16..48]), secret: wrapped(&bytes[48..120]) })
}

pub(super) fn write_slot(number: u64, slot: &Slot) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..32].copy_from_slice(slot.customer.0.as_bytes());
    bytes[0] = match slot.held {
        Held::Live(wrapped) => {
            bytes[32..56].copy_from_slice(&wrapped.nonce);
            bytes[56..104].copy_from_slice(&wrapped.key);
            1
        }
        Held::Destroyed | Held::Damaged => 2,
    };
    let crc = crc32c::crc32c(&bytes[..104]);
    bytes[104..108].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The slot in these bytes, `None` if it is empty.
pub(super) fn read_slot(number: u64, bytes: &[u8; SLOT]) -> Option<Slot> {
    if bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let customer = CustomerId(Uuid::from_bytes(copy(&bytes[16..32])));
    let whole = bytes[8..16] == number.to_le_bytes()
        && bytes[104..108] == crc32c::crc32c(&bytes[..104]).to_le_bytes();
    let held = match bytes[0] {
        1 if whole => Held::Live(wrapped(&bytes[32..104])),
        2 if whole => Held::Destroyed,
        _ => Held::Damaged,
    };
    Some(Slot { customer, held })
}

fn wrapped(bytes: &[u8]) -> Wrapped {
    Wrapped { nonce: copy(&bytes[..24]), key: copy(&bytes[24..72]) }
}

fn copy<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut copied = [0; N];
    copied.copy_from_slice(bytes);
    copied
}
