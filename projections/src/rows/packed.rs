//! Many small values in one row, kept as bytes: as small in memory as on disk, and an append costs
//! the value that is appended.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values in postcard, one after the other.
pub struct Packed<T> {
    bytes: Vec<u8>,
    values: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Packed<T> {
    /// Appends a value, and answers with the place where it begins.
    pub fn push(&mut self, value: &T) -> usize {
        self.push_alike(value)
    }

    /// Appends what is written exactly as a value would be: one that borrows its parts.
    pub(crate) fn push_alike(&mut self, value: &impl Serialize) -> usize {
        let start = self.bytes.len();
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(value, bytes).expect("plain data is written to memory");
        start
    }

    /// Cuts off the value that begins here, and all after it.
    pub fn truncate(&mut self, start: usize) {
        self.bytes.truncate(start);
    }

    /// The values, in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.iter_from(0)
    }

    /// The values from the one that begins here.
    ///
    /// # Panics
    /// If the bytes are not what this type wrote. A row's checksum and its generation's name, which
    /// knows every encoding, keep others away.
    pub fn iter_from(&self, start: usize) -> impl Iterator<Item = T> + '_ {
        let mut rest = self.bytes.get(start..).unwrap_or_default();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (value, tail) = postcard::take_from_bytes(rest).expect("it was written by `push`");
            rest = tail;
            Some(value)
        })
    }

    /// The length in bytes.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl<T: Serialize + DeserializeOwned> FromIterator<T> for Packed<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut packed = Self::default();
        values.into_iter().for_each(|value| {
            packed.push(&value);
        });
        packed
    }
}

// By hand: what is packed need not be any of these.
impl<T> Default for Packed<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), values: PhantomData }
    }
}

impl<T> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), values: PhantomData }
    }
}

impl<T> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T: fmt::Debug + Serialize + DeserializeOwned> fmt::Debug for Packed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T> Serialize for Packed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.bytes)
    }
}

impl<'de, T> Deserialize<'de> for Packed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        Ok(Self { bytes: deserializer.deserialize_bytes(Bytes)?, values: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_in_order_and_the_last_can_be_taken_back() {
        let mut packed: Packed<(u32, String)> = (0..5).map(|n| (n, n.to_string())).collect();
        let last = packed.push(&(9, "nine".into()));
        let read =
            |packed: &Packed<(u32, String)>| packed.iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(read(&packed), [0, 1, 2, 3, 4, 9]);
        assert_eq!(packed.iter_from(last).next(), Some((9, "nine".into())));
        packed.truncate(last);
        assert_eq!(read(&packed), [0, 1, 2, 3, 4]);
        let bytes = postcard::to_allocvec(&packed).unwrap();
        assert_eq!(bytes.len(), packed.len_bytes() + 1);
        assert_eq!(postcard::from_bytes::<Packed<(u32, String)>>(&bytes).unwrap(), packed);
    }
}
