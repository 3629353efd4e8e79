//! A row as the store keeps it: CRC32C, provenance, postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::projection::Provenance;
use crate::store::StoreError;

/// A row off the store, its checksum checked.
pub(crate) struct Stored<'a> {
    pub provenance: Provenance,
    /// The row in postcard.
    pub row: &'a [u8],
}

pub(crate) fn damaged(reason: impl Into<String>) -> StoreError {
    StoreError::Damaged { reason: reason.into() }
}

/// Checks the checksum and splits off the provenance.
pub(crate) fn open(bytes: &[u8]) -> Result<Stored<'_>, StoreError> {
    let (crc, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| damaged("a row is cut off"))?;
    if crc32c::crc32c(rest) != u32::from_le_bytes(*crc) {
        return Err(damaged("a row does not agree with its checksum"));
    }
    let (provenance, row) = postcard::take_from_bytes::<Provenance>(rest)
        .map_err(|error| damaged(format!("a row's provenance cannot be read: {error}")))?;
    Ok(Stored { provenance, row })
}

pub(crate) fn read_row<R: DeserializeOwned>(row: &[u8]) -> Result<R, StoreError> {
    postcard::from_bytes(row).map_err(|error| damaged(format!("a row cannot be read: {error}")))
}

/// The bytes to keep, and where in them the row's postcard begins.
pub(crate) fn seal<R: Serialize>(provenance: &Provenance, row: &R) -> (Vec<u8>, usize) {
    const PLAIN: &str = "rows are plain data, which postcard writes to memory";
    let mut bytes = Vec::with_capacity(96);
    bytes.extend_from_slice(&[0; 4]);
    let bytes = postcard::to_extend(provenance, bytes).expect(PLAIN);
    let start = bytes.len();
    let mut bytes = postcard::to_extend(row, bytes).expect(PLAIN);
    let crc = crc32c::crc32c(&bytes[4..]).to_le_bytes();
    bytes[..4].copy_from_slice(&crc);
    (bytes, start)
}

/// How many bytes a row takes in postcard.
pub(crate) fn size_of<R: Serialize>(row: &R) -> usize {
    postcard::serialize_with_flavor(row, postcard::ser_flavors::Size::default())
        .expect("rows are plain data, whose bytes can be counted")
}
