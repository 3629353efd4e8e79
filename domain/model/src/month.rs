//! Months in UTC, which figures over time are told apart by.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A month in UTC, such as `2026-01`: 12 times the year plus the month, less 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub u32);

impl Month {
    /// The month of a moment.
    pub fn of(moment: Timestamp) -> Self {
        let date = TimeZone::UTC.to_datetime(moment).date();
        // Years before 0 do not reach a survey; they fold into month 0 rather than failing.
        Self((i32::from(date.year()) * 12 + i32::from(date.month()) - 1).max(0) as u32)
    }
}

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

/// As text where people read it, else as a number.
impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            u32::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(feature = "graphql")]
mod graphql {
    use super::Month;
    use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_reads_back_from_its_text() {
        let month: Month = "2026-12".parse().unwrap();
        assert_eq!(month, Month(2026 * 12 + 11));
        assert_eq!(month.to_string(), "2026-12");
        assert_eq!(serde_json::to_string(&month).unwrap(), "\"2026-12\"");
        assert_eq!(serde_json::from_str::<Month>("\"2026-12\"").unwrap(), month);
        for text in ["2026", "2026-13", "2026-00", "26-01", "2026-1", "2026-+1", ""] {
            assert_eq!(text.parse::<Month>(), Err(MonthError), "{text}");
        }
    }

    #[test]
    fn a_moment_lies_in_its_month_in_utc() {
        let of = |moment: &str| Month::of(moment.parse().unwrap()).to_string();
        assert_eq!(of("2026-01-31T23:59:59Z"), "2026-01");
        assert_eq!(of("2026-01-31T23:59:59-01:00"), "2026-02");
        assert_eq!(of("-000001-05-01T00:00:00Z"), "0000-01");
    }
}
