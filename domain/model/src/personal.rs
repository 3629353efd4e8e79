//! Values about a person, which are sealed before they are written.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value about a person: in the clear between the user and the seal, sealed everywhere else.
///
/// It does not print itself, and the clear form refuses to be serialised: what has not been sealed
/// cannot reach a disk by mistake. Two sealed values are equal if their bytes are.
#[derive(Clone)]
pub enum Personal<T> {
    /// Readable. Exists only in memory.
    Clear(T),
    /// As the ledger keeps it.
    Sealed(Box<SealedValue>),
}

/// A sealed value: opens with its customer's key, and to one plaintext only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealedValue {
    /// The version of this form: 1.
    pub v: u8,
    /// The key, by the number of its slot in the key store.
    pub key: String,
    /// The algorithm: `xchacha20poly1305-hkdf-sha256`.
    pub alg: String,
    /// 32 random bytes, base64url without padding.
    pub salt: String,
    /// 32 bytes that commit to the key and the context, base64url without padding.
    pub commitment: String,
    /// The ciphertext with its tag, base64url without padding.
    pub ciphertext: String,
}

/// A personal field of any type, as the vault sees it.
pub trait Sealable {
    /// The clear value as JSON, or `None` if it is sealed already.
    fn clear_json(&self) -> Option<Vec<u8>>;
    /// The sealed value, or `None` if it is clear.
    fn sealed(&self) -> Option<&SealedValue>;
    /// Puts the sealed value in place.
    fn seal(&mut self, sealed: SealedValue);
    /// Puts a clear value in place of a sealed one. `false` if the JSON is not of this type.
    fn open(&mut self, json: &[u8]) -> bool;
}

impl<T> Personal<T> {
    /// The value, if it is in the clear.
    pub fn clear(&self) -> Option<&T> {
        match self {
            Self::Clear(value) => Some(value),
            Self::Sealed(_) => None,
        }
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Self::Clear(value)
    }
}

impl<T: Serialize + DeserializeOwned> Sealable for Personal<T> {
    fn clear_json(&self) -> Option<Vec<u8>> {
        self.clear()
            .map(|value| serde_json::to_vec(value).expect("a personal value is a plain JSON value"))
    }

    fn sealed(&self) -> Option<&SealedValue> {
        match self {
            Self::Clear(_) => None,
            Self::Sealed(sealed) => Some(sealed),
        }
    }

    fn seal(&mut self, sealed: SealedValue) {
        *self = Self::Sealed(Box::new(sealed));
    }

    fn open(&mut self, json: &[u8]) -> bool {
        serde_json::from_slice(json).map(|value| *self = Self::Clear(value)).is_ok()
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "<personal>",
            Self::Sealed(_) => "<sealed>",
        })
    }
}

/// Clear values never compare as equal, not even with themselves: nothing can be learnt by asking.
impl<T> PartialEq for Personal<T> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sealed(a), Self::Sealed(b)) => a == b,
            _ => false,
        }
    }
}

impl<T> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sealed(sealed) => sealed.serialize(serializer),
            Self::Clear(_) => Err(serde::ser::Error::custom(
                "a personal value must be sealed before it is written",
            )),
        }
    }
}

impl<'de, T> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SealedValue::deserialize(deserializer).map(|sealed| Self::Sealed(Box::new(sealed)))
    }
}
