//! Scalars of our own.

use std::fmt;
use std::str::FromStr;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use jiff::{SignedDuration, Timestamp};

/// A moment in UTC, RFC 3339, such as `2026-01-31T12:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime(pub Timestamp);

impl DateTime {
    /// From microseconds since the Unix epoch, as rows keep times.
    pub fn of_microseconds(microseconds: i64) -> Self {
        Self(Timestamp::from_microsecond(microseconds).unwrap_or_default())
    }
}

/// A moment in UTC, RFC 3339, such as `2026-01-31T12:00:00Z`.
#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map(Self).map_err(|_| {
                InputValueError::custom("a time is written as 2026-01-31T12:00:00Z (RFC 3339)")
            }),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A length of time, ISO 8601, such as `PT36H`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub SignedDuration);

impl Duration {
    /// From microseconds, as rows keep lengths.
    pub fn of_microseconds(microseconds: i64) -> Self {
        Self(SignedDuration::from_micros(microseconds))
    }
}

/// A length of time, ISO 8601, such as `PT36H`.
#[Scalar(
    name = "Duration",
    specified_by_url = "https://www.iso.org/iso-8601-date-and-time-format.html"
)]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map(Self).map_err(|_| {
                InputValueError::custom("a length of time is written as PT36H or PT15M (ISO 8601)")
            }),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A month, such as `2026-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub u32);

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

/// The text is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a month is written as 2026-01")]
pub struct MonthError;

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let (year, month) = text.split_once('-').ok_or(MonthError)?;
        let digits = |part: &str, count| {
            part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(year, 4) || !digits(month, 2) {
            return Err(MonthError);
        }
        let number = |part: &str| part.parse::<u32>().map_err(|_| MonthError);
        match (number(year)?, number(month)?) {
            (year, month @ 1..=12) => Ok(Self(year * 12 + month - 1)),
            _ => Err(MonthError),
        }
    }
}

/// A month in UTC, such as `2026-01`.
#[Scalar(
    name = "Month",
    specified_by_url = "https://www.iso.org/iso-8601-date-and-time-format.html"
)]
impl ScalarType for Month {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_reads_back_from_its_text() {
        let month: Month = "2026-12".parse().unwrap();
        assert_eq!(month, Month(2026 * 12 + 11));
        assert_eq!(month.to_string(), "2026-12");
        for text in ["2026", "2026-13", "2026-00", "26-01", "2026-1", "2026-+1", ""] {
            assert_eq!(text.parse::<Month>(), Err(MonthError), "{text}");
        }
    }
}
