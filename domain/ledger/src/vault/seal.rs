//! One personal value, sealed: bound to its place, committed to one key, padded.
//!
//! HKDF-SHA256 over a data key, a fresh salt and the digest of the place gives 64 bytes: the key of
//! XChaCha20-Poly1305, used once and so with a zero nonce, and a commitment that is stored. The
//! commitment is what makes one ciphertext open to one story only: Poly1305 alone does not promise
//! that somebody who picks the keys cannot make a ciphertext that opens under two.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use cx_model::{SealedValue, StreamName};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::VaultError;

/// The version of the sealed form.
const VERSION: u8 = 1;
/// The only algorithm of version 1.
const ALGORITHM: &str = "xchacha20poly1305-hkdf-sha256";
/// Lengths are hidden within steps of this many bytes.
const PAD: usize = 64;
const SALT: usize = 32;
const COMMITMENT: usize = 32;
/// What the cipher adds to a value.
const TAG: usize = 16;
const INFO: &[u8] = b"cxledger personal value 1";

/// A secret of 32 bytes that is wiped when it is dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// Where a personal value stands. It opens there and nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The stream of its event.
    pub stream: &'a StreamName,
    /// The id of its event.
    pub event: Uuid,
    /// The type of its event.
    pub event_type: &'a str,
    /// The field's path in the event, such as `text` or `answers.3.text`.
    pub field: &'a str,
}

impl Place<'_> {
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let parts = [
            self.stream.as_str().as_bytes(),
            self.event.as_bytes(),
            self.event_type.as_bytes(),
            self.field.as_bytes(),
        ];
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

/// Fills bytes from the operating system's generator.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), VaultError> {
    getrandom::fill(bytes).map_err(|error| VaultError::Random { reason: error.to_string() })
}

/// The key and the commitment of one value.
fn derive(data_key: &Key, salt: &[u8], place: &Place<'_>) -> (Key, [u8; 32]) {
    let mut both = Zeroizing::new([0; 64]);
    let mut info = Vec::with_capacity(INFO.len() + 32);
    info.extend_from_slice(INFO);
    info.extend_from_slice(&place.digest());
    Hkdf::<Sha256>::new(Some(salt), data_key.as_slice())
        .expand(&info, both.as_mut_slice())
        .expect("64 bytes are less than HKDF-SHA256's limit of 8160");
    let mut key = Key::default();
    let mut commitment = [0; 32];
    key.copy_from_slice(&both[..32]);
    commitment.copy_from_slice(&both[32..]);
    (key, commitment)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new_from_slice(key.as_slice()).expect("the key has 32 bytes")
}

/// Seals a value under a data key, at its place.
pub(super) fn seal(
    data_key: &Key,
    key_name: &str,
    place: &Place<'_>,
    value: &[u8],
) -> Result<SealedValue, VaultError> {
    let mut salt = [0; SALT];
    random(&mut salt)?;
    let (key, commitment) = derive(data_key, &salt, place);
    let sealed = cipher(&key)
        .encrypt(&XNonce::default(), padded(value).as_slice())
        .expect("a value within the event limit is within the cipher's");
    Ok(SealedValue {
        v: VERSION,
        key: key_name.to_owned(),
        alg: ALGORITHM.to_owned(),
        salt: URL_SAFE_NO_PAD.encode(salt),
        commitment: URL_SAFE_NO_PAD.encode(commitment),
        ciphertext: URL_SAFE_NO_PAD.encode(sealed),
    })
}

/// Opens a value that was sealed under this data key at this place.
pub(super) fn open(
    data_key: &Key,
    place: &Place<'_>,
    sealed: &SealedValue,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let refused = |reason: &'static str| VaultError::Unopenable {
        stream: place.stream.clone(),
        event: place.event,
        field: place.field.to_owned(),
        reason,
    };
    if sealed.v != VERSION || sealed.alg != ALGORITHM {
        return Err(refused("it was sealed in a form this program does not know"));
    }
    let bytes = |text: &str| {
        URL_SAFE_NO_PAD.decode(text).map_err(|_| refused("its sealed form is not base64url"))
    };
    let (salt, stored) = (bytes(&sealed.salt)?, bytes(&sealed.commitment)?);
    let (key, commitment) = derive(data_key, &salt, place);
    if !bool::from(commitment.as_slice().ct_eq(&stored)) {
        return Err(refused("it was sealed with another key or for another place"));
    }
    let opened = cipher(&key)
        .decrypt(&XNonce::default(), bytes(&sealed.ciphertext)?.as_slice())
        .map_err(|_| refused("its ciphertext was changed"))?;
    unpadded(&Zeroizing::new(opened)).ok_or_else(|| refused("its padding is not ours"))
}

/// Whether a value has the form in which this program seals. It says nothing of what is in it: with
/// it a ledger takes what another sealed with keys that are not here, and nothing that is plain
/// text where a sealed value should be.
pub fn is_sealed_form(sealed: &SealedValue) -> bool {
    let length = |text: &str| URL_SAFE_NO_PAD.decode(text).map(|bytes| bytes.len());
    let padded = |length: usize| length > TAG && (length - TAG).is_multiple_of(PAD);
    sealed.v == VERSION
        && sealed.alg == ALGORITHM
        && (sealed.key == super::LEDGER_KEY || sealed.key.parse::<u64>().is_ok())
        && length(&sealed.salt) == Ok(SALT)
        && length(&sealed.commitment) == Ok(COMMITMENT)
        && length(&sealed.ciphertext).is_ok_and(padded)
}

/// The value behind its length, filled up with zeros to the next step.
fn padded(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = (4 + value.len()).next_multiple_of(PAD);
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(&(value.len() as u32).to_le_bytes());
    padded.extend_from_slice(value);
    padded.resize(length, 0);
    padded
}

fn unpadded(padded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (length, rest) = padded.split_first_chunk::<4>()?;
    let (value, fill) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let ours = padded.len() == (4 + value.len()).next_multiple_of(PAD);
    (ours && fill.iter().all(|byte| *byte == 0)).then(|| Zeroizing::new(value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; 32])
    }

    fn stream() -> StreamName {
        StreamName::of("customer", Uuid::from_u128(1))
    }

    fn place(stream: &StreamName) -> Place<'_> {
        Place {
            stream,
            event: Uuid::from_u128(2),
            event_type: "InteractionRecorded",
            field: "text",
        }
    }

    #[test]
    fn a_value_opens_at_its_own_place_only() {
        let (here, elsewhere) = (stream(), StreamName::of("customer", Uuid::from_u128(9)));
        let sealed = seal(&key(1), "0", &place(&here), b"Ada").unwrap();
        assert_eq!(open(&key(1), &place(&here), &sealed).unwrap().as_slice(), b"Ada");
        let others = [
            place(&elsewhere),
            Place { event: Uuid::from_u128(3), ..place(&here) },
            Place { event_type: "CaseOpened", ..place(&here) },
            Place { field: "name", ..place(&here) },
        ];
        for other in others {
            assert!(open(&key(1), &other, &sealed).is_err());
        }
        assert!(open(&key(2), &place(&here), &sealed).is_err());
    }

    #[test]
    fn a_changed_byte_of_the_sealed_form_is_noticed() {
        let here = stream();
        let sealed = seal(&key(1), "0", &place(&here), b"Ada").unwrap();
        for part in 0..3 {
            let mut changed = sealed.clone();
            let text = [&mut changed.salt, &mut changed.commitment, &mut changed.ciphertext];
            let text = text.into_iter().nth(part).unwrap();
            let flipped = if text.starts_with('A') { "B" } else { "A" };
            text.replace_range(0..1, flipped);
            assert!(open(&key(1), &place(&here), &changed).is_err());
        }
    }

    #[test]
    fn equal_values_look_different_and_lengths_are_padded() {
        let here = stream();
        let one = seal(&key(1), "0", &place(&here), b"Ada").unwrap();
        let two = seal(&key(1), "0", &place(&here), b"Ada").unwrap();
        assert_ne!(one.ciphertext, two.ciphertext);
        let long = seal(&key(1), "0", &place(&here), &[7; 60]).unwrap();
        assert_eq!(one.ciphertext.len(), long.ciphertext.len());
        for length in [0, 59, 60, 61, 124, 1000] {
            let value = vec![3; length];
            let sealed = seal(&key(1), "0", &place(&here), &value).unwrap();
            assert_eq!(*open(&key(1), &place(&here), &sealed).unwrap(), value);
        }
    }

    #[test]
    fn the_sealed_form_stays_readable_for_ever() {
        let here = stream();
        let golden: SealedValue = serde_json::from_str(include_str!("golden.json")).unwrap();
        assert_eq!(open(&key(7), &place(&here), &golden).unwrap().as_slice(), b"\"Ada Lovelace\"");
    }
}
