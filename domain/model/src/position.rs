//! Where an event stands in the order of commit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A place in the ledger: opaque, ordered as events were committed, printed as text.
///
/// Positions may be sparse. `Position::START` stands before the first event. The embedded log
/// counts its events from 1, so there the commit and the prepare part are equal and the position
/// prints as one number; KurrentDB's two parts print as `commit.prepare`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    commit: u64,
    prepare: u64,
}

impl Position {
    /// Before the first event.
    pub const START: Self = Self { commit: 0, prepare: 0 };

    /// A position whose two parts are equal, as the embedded log makes them.
    pub const fn new(number: u64) -> Self {
        Self { commit: number, prepare: number }
    }

    /// A position of an engine that tells commit and prepare apart.
    pub const fn from_parts(commit: u64, prepare: u64) -> Self {
        Self { commit, prepare }
    }

    /// The commit part.
    pub const fn commit(self) -> u64 {
        self.commit
    }

    /// The prepare part.
    pub const fn prepare(self) -> u64 {
        self.prepare
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.commit == self.prepare {
            write!(f, "{}", self.commit)
        } else {
            write!(f, "{}.{}", self.commit, self.prepare)
        }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a position is a number such as 1234, or two joined by a point such as 1234.1200")]
pub struct PositionError;

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if plain { part.parse::<u64>().map_err(|_| PositionError) } else { Err(PositionError) }
        };
        match text.split_once('.') {
            Some((commit, prepare)) => {
                Ok(Self { commit: number(commit)?, prepare: number(prepare)? })
            }
            None => number(text).map(Self::new),
        }
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "graphql")]
mod graphql {
    use super::Position;
    use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

    /// A place in the ledger's order of commit, as text: `1234`, or `1234.1200` on a KurrentDB cluster.
    /// Positions of one ledger compare as numbers; keep them as text, JavaScript's numbers end at 2^53.
    #[Scalar]
    impl ScalarType for Position {
        fn parse(value: Value) -> InputValueResult<Self> {
            match &value {
                Value::String(text) => text.parse().map_err(InputValueError::custom),
                _ => Err(InputValueError::expected_type(value)),
            }
        }

        fn to_value(&self) -> Value {
            Value::String(self.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_from_its_text() {
        for position in [Position::START, Position::new(7), Position::from_parts(9, 8)] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for text in ["", "-1", "+1", "1.", ".1", "a", "1.2.3", "99999999999999999999999"] {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
        assert!(Position::new(9) < Position::new(10));
    }
}
