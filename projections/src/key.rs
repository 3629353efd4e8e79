//! Keys of rows: their bytes sort as their values do, so a prefix or a range of keys is a scan.
//!
//! Numbers are big-endian (signed ones with the sign flipped), text is escaped and terminated,
//! tuples are their parts one after the other. No key's bytes are the beginning of another key's
//! of the same type, so [`Desc`] may invert them all.

use cx_model::{
    AgentId, CaseId, CaseKind, Channel, Counterparty, CustomerId, CustomerKind, Direction,
    DivisionId, Expectation, ImportId, ImpressionOf, Initiator, InstrumentId, InteractionId,
    Metric, Month, OrderId, Ownership, Position, Precision, ResponseId, ScaleDirection, Severity,
    Stage, TouchpointId, ValenceBasis, WaitingOn,
};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

/// The bytes are no key of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no key of this view")]
pub struct KeyError;

/// A value that names a row. The law: `a < b` exactly if the bytes of `a` sort before those of `b`,
/// and `decode` inverts `encode`.
pub trait Key: Clone + Ord + std::fmt::Debug + Send + Sync + 'static {
    /// Appends the bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes the value off the front of the bytes.
    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError>;

    /// The bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        self.encode(&mut out);
        out
    }

    /// The value that these bytes are, all of them.
    fn from_bytes(mut bytes: &[u8]) -> Result<Self, KeyError> {
        let key = Self::decode(&mut bytes)?;
        if bytes.is_empty() { Ok(key) } else { Err(KeyError) }
    }
}

/// A key that begins with a `P`, so that all keys with one `P` stand together.
pub trait StartsWith<P: Key>: Key {}

/// The same values, greatest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Desc<T>(pub T);

impl<T: Ord> Ord for Desc<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl<T: Ord> PartialOrd for Desc<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Key> Key for Desc<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.0.encode(out);
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        let inverted: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        let mut rest = inverted.as_slice();
        let value = T::decode(&mut rest)?;
        *bytes = &bytes[inverted.len() - rest.len()..];
        Ok(Self(value))
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], KeyError> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(KeyError)?;
    *bytes = rest;
    Ok(taken)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], KeyError> {
    take(bytes, N)?.try_into().map_err(|_| KeyError)
}

macro_rules! numbers {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl Key for $unsigned {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
                take_array(bytes).map(Self::from_be_bytes)
            }
        }

        impl Key for $signed {
            fn encode(&self, out: &mut Vec<u8>) {
                (self.cast_unsigned() ^ Self::MIN.cast_unsigned()).encode(out);
            }

            fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
                let flipped = <$unsigned>::decode(bytes)?;
                Ok((flipped ^ Self::MIN.cast_unsigned()).cast_signed())
            }
        }
    )*};
}

numbers! { u8, i8; u16, i16; u32, i32; u64, i64; u128, i128; }

impl Key for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        match u8::decode(bytes)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(KeyError),
        }
    }
}

impl Key for String {
    /// A zero byte is written `00 FF`, the end `00 00`.
    fn encode(&self, out: &mut Vec<u8>) {
        for byte in self.bytes() {
            out.push(byte);
            if byte == 0 {
                out.push(0xFF);
            }
        }
        out.extend_from_slice(&[0, 0]);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        let mut text = Vec::new();
        loop {
            match u8::decode(bytes)? {
                0 => match u8::decode(bytes)? {
                    0 => break,
                    0xFF => text.push(0),
                    _ => return Err(KeyError),
                },
                byte => text.push(byte),
            }
        }
        Self::from_utf8(text).map_err(|_| KeyError)
    }
}

impl Key for Uuid {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        take_array(bytes).map(Self::from_bytes)
    }
}

impl Key for Position {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.commit(), self.prepare()).encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        Ok(Self::from_parts(u64::decode(bytes)?, u64::decode(bytes)?))
    }
}

impl Key for Month {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        u32::decode(bytes).map(Self)
    }
}

impl Key for Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.as_second(), self.subsec_nanosecond()).encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        let (second, nanosecond) = <(i64, i32)>::decode(bytes)?;
        Self::new(second, nanosecond).map_err(|_| KeyError)
    }
}

impl Key for Date {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.year(), self.month(), self.day()).encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        let (year, month, day) = <(i16, i8, i8)>::decode(bytes)?;
        Self::new(year, month, day).map_err(|_| KeyError)
    }
}

impl<T: Key> Key for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
        if bool::decode(bytes)? { T::decode(bytes).map(Some) } else { Ok(None) }
    }
}

macro_rules! ids {
    ($($id:ident)*) => {$(
        impl Key for $id {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }

            fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
                Uuid::decode(bytes).map(Self)
            }
        }
    )*};
}

ids! {
    CustomerId CaseId TouchpointId InstrumentId InteractionId ResponseId OrderId ImportId
    DivisionId AgentId
}

macro_rules! closed_lists {
    ($($list:ident)*) => {$(
        /// The member's place in its list.
        impl Key for $list {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }

            fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
                Self::ALL.get(usize::from(u8::decode(bytes)?)).copied().ok_or(KeyError)
            }
        }
    )*};
}

closed_lists! {
    Channel Stage Direction Initiator Counterparty Expectation ValenceBasis CustomerKind
    ImpressionOf CaseKind Severity WaitingOn Ownership Metric ScaleDirection Precision
}

macro_rules! tuples {
    ($($($part:ident)*;)*) => {$(
        impl<$($part: Key),*> Key for ($($part,)*) {
            #[allow(non_snake_case, unused_variables, clippy::unused_unit)]
            fn encode(&self, out: &mut Vec<u8>) {
                let ($($part,)*) = self;
                $($part.encode(out);)*
            }

            #[allow(unused_variables, clippy::unused_unit)]
            fn decode(bytes: &mut &[u8]) -> Result<Self, KeyError> {
                Ok(($($part::decode(bytes)?,)*))
            }
        }
    )*};
}

tuples! { ; A; A B; A B C; A B C D; A B C D E; A B C D E F; }

impl<A: Key, B: Key> StartsWith<A> for (A, B) {}
impl<A: Key, B: Key, C: Key> StartsWith<A> for (A, B, C) {}
impl<A: Key, B: Key, C: Key> StartsWith<(A, B)> for (A, B, C) {}
impl<A: Key, B: Key, C: Key, D: Key> StartsWith<A> for (A, B, C, D) {}
impl<A: Key, B: Key, C: Key, D: Key> StartsWith<(A, B)> for (A, B, C, D) {}
impl<A: Key, B: Key, C: Key, D: Key> StartsWith<(A, B, C)> for (A, B, C, D) {}
impl<A: Key, B: Key, C: Key, D: Key, E: Key> StartsWith<A> for (A, B, C, D, E) {}
impl<A: Key, B: Key, C: Key, D: Key, E: Key> StartsWith<(A, B)> for (A, B, C, D, E) {}
impl<A: Key, B: Key, C: Key, D: Key, E: Key> StartsWith<(A, B, C)> for (A, B, C, D, E) {}
impl<A: Key, B: Key, C: Key, D: Key, E: Key> StartsWith<(A, B, C, D)> for (A, B, C, D, E) {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn law<K: Key>(mut keys: Vec<K>) {
        for key in &keys {
            assert_eq!(&K::from_bytes(&key.to_bytes()).unwrap(), key);
        }
        let mut by_bytes = keys.clone();
        keys.sort();
        by_bytes.sort_by_key(Key::to_bytes);
        assert_eq!(keys, by_bytes);
    }

    /// Short texts over few characters, so that many are the beginnings of others.
    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'ÿ', '\u{7f}']), 0..4)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_bytes_and_read_back(
            numbers in prop::collection::vec((any::<i64>(), any::<u32>(), any::<bool>()), 2..20),
            small in prop::collection::vec((any::<i8>(), any::<Option<u8>>()), 2..20),
            texts in prop::collection::vec((text(), text(), any::<u8>()), 2..20),
            descending in prop::collection::vec((text(), any::<i16>()), 2..20),
            ids in prop::collection::vec(any::<u128>(), 2..20),
            times in prop::collection::vec((-9_999_999i64..9_999_999, -999_999_999i32..999_999_999), 2..20),
        ) {
            law(numbers);
            law(small);
            law(texts.clone());
            law(texts.into_iter().map(|(a, b, c)| (Some(a), c, Desc(b))).collect());
            law(descending.into_iter().map(|(a, b)| (Desc((a, Desc(b))), b)).collect());
            law(ids.iter().map(|id| (CustomerId(Uuid::from_u128(*id)), Position::from_parts(*id as u64, 3))).collect());
            law(times.into_iter().map(|(s, n)| {
                let time = Timestamp::from_nanosecond(i128::from(s) * 1_000_000_000 + i128::from(n)).unwrap();
                (Desc(time), Date::constant(2000, 1, 1).saturating_add(jiff::Span::new().days(s / 100)))
            }).collect());
        }
    }

    #[test]
    fn closed_lists_sort_as_declared() {
        law(Channel::ALL.to_vec());
        law(Stage::ALL.to_vec());
        law(Metric::ALL.to_vec());
        assert_eq!(Channel::from_bytes(&[200]), Err(KeyError));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(u64::from_bytes(&[1, 2]), Err(KeyError));
        assert_eq!(u8::from_bytes(&[1, 2]), Err(KeyError));
        assert_eq!(String::from_bytes(&[b'a', 0, 1]), Err(KeyError));
        assert_eq!(bool::from_bytes(&[2]), Err(KeyError));
    }
}
