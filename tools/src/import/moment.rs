//! When it happened: times as files write them, and how exactly they are known.

use anyhow::{Context, bail, ensure};
use cx_model::Precision;
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::row::{Columns, Fault, Row, Slot};

/// When a row's events happened.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSpec {
    column: Option<String>,
    /// Several columns, joined by a blank: date and time of day.
    columns: Option<Vec<String>>,
    /// The same for every row: `2017-05-13`, `2017-05` or `2017`.
    constant: Option<String>,
    /// strftime patterns, tried in order; or `rfc3339`, `unix_seconds`, `unix_milliseconds`.
    #[serde(default)]
    formats: Vec<String>,
    /// Where the clock hung, for formats without a UTC offset.
    zone: Option<String>,
    /// The year, month or date that stands for what the column leaves out.
    year: Option<String>,
    month: Option<String>,
    date: Option<String>,
    /// Known less exactly than it is written.
    precision: Option<Precision>,
    /// When, if the column has nothing: like `constant`.
    otherwise: Option<String>,
    /// Texts that mean "nothing here", beside the empty one.
    #[serde(default)]
    missing: Vec<String>,
}

/// A time and how exactly it is known.
pub type Moment = (Timestamp, Precision);

/// When a row's events happened.
#[derive(Debug, Clone)]
pub struct Moments {
    slots: Vec<(String, Slot)>,
    formats: Vec<Format>,
    zone: TimeZone,
    stated: Option<Moment>,
    missing: Vec<String>,
}

#[derive(Debug, Clone)]
struct Format {
    pattern: Pattern,
    prefix: String,
    precision: Precision,
}

#[derive(Debug, Clone)]
enum Pattern {
    Rfc3339,
    UnixSeconds,
    UnixMilliseconds,
    Strptime(String),
}

impl Moments {
    /// Checks the formats and the zone.
    pub fn compile(spec: &TimeSpec, columns: &mut Columns) -> anyhow::Result<Self> {
        let zone = match &spec.zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).with_context(|| {
                format!("`{name}` is no time zone: write one such as Europe/Rome")
            })?,
        };
        let names = match (&spec.column, &spec.columns, &spec.constant) {
            (Some(column), None, None) => vec![column.clone()],
            (None, Some(columns), None) if !columns.is_empty() => columns.clone(),
            (None, None, Some(_)) => Vec::new(),
            _ => bail!("a time has one of `column`, `columns` and `constant`"),
        };
        ensure!(
            spec.constant.is_some() || !spec.formats.is_empty(),
            "a time from a column needs `formats`, such as [\"%Y-%m-%d %H:%M:%S\"] or [\"rfc3339\"]"
        );
        let required = spec.otherwise.is_none();
        let stated = spec.constant.as_ref().or(spec.otherwise.as_ref());
        let stated = stated.map(|text| stated_moment(text, &zone)).transpose()?;
        let formats = spec.formats.iter().map(|text| Format::compile(text, spec));
        Ok(Self {
            slots: names.into_iter().map(|n| (n.clone(), columns.slot(&n, required))).collect(),
            formats: formats.collect::<anyhow::Result<_>>()?,
            zone,
            stated,
            missing: spec.missing.clone(),
        })
    }

    /// When the row's events happened.
    pub fn of(&self, row: &Row) -> Result<Moment, Fault> {
        let mut joined = String::new();
        let mut first = None;
        for (_, slot) in &self.slots {
            match (row.get(*slot).filter(|text| !self.missing.iter().any(|m| m == text)), first) {
                (None, _) => {}
                (Some(text), None) => first = Some(text),
                (Some(text), Some(before)) => {
                    if joined.is_empty() {
                        joined.push_str(before);
                    }
                    joined.push(' ');
                    joined.push_str(text);
                }
            }
        }
        let column = || self.slots.first().map_or("", |(name, _)| name.as_str());
        let Some(first) = first else {
            return self.stated.ok_or_else(|| Fault::of(column(), "no time"));
        };
        let text = if joined.is_empty() { first } else { &joined };
        let read = self.formats.iter().find_map(|format| format.read(text, &self.zone));
        read.ok_or_else(|| Fault::of(column(), "a time in none of the mapping's formats"))
    }
}

impl Format {
    fn compile(text: &str, spec: &TimeSpec) -> anyhow::Result<Self> {
        let (prefix, pattern_prefix) = match (&spec.year, &spec.month, &spec.date) {
            (None, None, None) => (String::new(), ""),
            (Some(year), None, None) => (format!("{year} "), "%Y "),
            (None, Some(month), None) => (format!("{month} "), "%Y-%m "),
            (None, None, Some(date)) => (format!("{date} "), "%Y-%m-%d "),
            _ => bail!("of `year`, `month` and `date` only one can stand for what is left out"),
        };
        let (pattern, known) = match text {
            "rfc3339" => (Pattern::Rfc3339, Precision::Exact),
            "unix_seconds" => (Pattern::UnixSeconds, Precision::Exact),
            "unix_milliseconds" => (Pattern::UnixMilliseconds, Precision::Exact),
            _ => {
                let full = format!("{pattern_prefix}{text}");
                let known = precision_of(&full).with_context(|| {
                    format!(
                        "the format `{text}` has no year: say `year`, `month` or `date` to state \
                         what the column leaves out"
                    )
                })?;
                strtime::format(&full, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC))
                    .with_context(|| format!("`{text}` is no time format"))?;
                (Pattern::Strptime(full), known)
            }
        };
        Ok(Self { pattern, prefix, precision: spec.precision.unwrap_or(known) })
    }

    fn read(&self, text: &str, zone: &TimeZone) -> Option<Moment> {
        let time = match &self.pattern {
            Pattern::Rfc3339 => text.parse().ok()?,
            Pattern::UnixSeconds => Timestamp::from_second(text.parse().ok()?).ok()?,
            Pattern::UnixMilliseconds => Timestamp::from_millisecond(text.parse().ok()?).ok()?,
            Pattern::Strptime(pattern) if self.prefix.is_empty() => parse(pattern, text, zone)?,
            Pattern::Strptime(pattern) => parse(pattern, &format!("{}{text}", self.prefix), zone)?,
        };
        Some((time, self.precision))
    }
}

fn parse(pattern: &str, text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let mut parsed = strtime::parse(pattern, text).ok()?;
    if let Ok(time) = parsed.to_timestamp() {
        return Some(time);
    }
    if parsed.day().is_none() && parsed.day_of_year().is_none() {
        parsed.set_day(Some(1)).ok()?;
        if parsed.month().is_none() {
            parsed.set_month(Some(1)).ok()?;
        }
    }
    zone.to_timestamp(parsed.to_datetime().ok()?).ok()
}

/// What a pattern tells of a time; `None` if not even the year.
fn precision_of(pattern: &str) -> Option<Precision> {
    let letters: Vec<char> = pattern
        .split('%')
        .skip(1)
        .filter_map(|part| {
            part.trim_start_matches(['-', '_', '0', '^', '#', ':', '.']).chars().next()
        })
        .collect();
    let has = |wanted: &str| letters.iter().any(|letter| wanted.contains(*letter));
    if !has("YyCGgFDscT") && !has("s") {
        return None;
    }
    Some(if has("HIklTRrcsX") {
        Precision::Exact
    } else if has("deFDjx") {
        Precision::Day
    } else if has("mbBh") {
        Precision::Month
    } else {
        Precision::Year
    })
}

fn stated_moment(text: &str, zone: &TimeZone) -> anyhow::Result<Moment> {
    if let Ok(time) = text.parse() {
        return Ok((time, Precision::Exact));
    }
    let formats =
        [("%Y-%m-%d", Precision::Day), ("%Y-%m", Precision::Month), ("%Y", Precision::Year)];
    let read = |(pattern, precision)| Some((parse(pattern, text, zone)?, precision));
    formats.into_iter().find_map(read).with_context(|| {
        format!("`{text}` is no time: write 2017-05-13, 2017-05, 2017 or 2017-05-13T10:21:14Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str, text: &str) -> Result<Moment, Fault> {
        let mut columns = Columns::default();
        let moments = Moments::compile(&toml::from_str(toml).unwrap(), &mut columns).unwrap();
        let pairs: Vec<_> = text.split('|').zip(["t", "u"]).collect();
        let pairs: Vec<_> = pairs.iter().map(|(v, n)| ((*n).to_owned(), (*v).to_owned())).collect();
        moments.of(&Row::of_pairs(1, &pairs, &columns))
    }

    #[test]
    fn times_are_read_in_their_zone_as_exactly_as_they_are_written() {
        for (toml, text, time, precision) in [
            (
                "column='t'\nformats=['%d']\nmonth='2017-05'\nzone='America/Los_Angeles'",
                "7",
                "2017-05-07T07:00:00Z",
                Precision::Day,
            ),
            ("column='t'\nformats=['%Y%m%d']", "19970101", "1997-01-01T00:00:00Z", Precision::Day),
            (
                "column='t'\nformats=['rfc3339']",
                "2012-10-09T14:50:17+02:00",
                "2012-10-09T12:50:17Z",
                Precision::Exact,
            ),
            (
                "column='t'\nformats=['%m/%d/%Y %I:%M:%S %p']\nprecision='day'",
                "05/11/2016 12:00:00 AM",
                "2016-05-11T00:00:00Z",
                Precision::Day,
            ),
            (
                "columns=['t','u']\nformats=['%d.%m.%Y %H:%M']\nzone='Europe/Rome'",
                "01.07.2020|10:30",
                "2020-07-01T08:30:00Z",
                Precision::Exact,
            ),
            (
                "column='t'\nformats=['%Y-%m-%d','%Y-%m','%Y']",
                "2020-07",
                "2020-07-01T00:00:00Z",
                Precision::Month,
            ),
            ("column='t'\nformats=['%Y']", "2020", "2020-01-01T00:00:00Z", Precision::Year),
            (
                "column='t'\nformats=['unix_seconds']",
                "86400",
                "1970-01-02T00:00:00Z",
                Precision::Exact,
            ),
            (
                "column='t'\nformats=['%d']\nmonth='2017-05'\notherwise='2017-05'",
                "",
                "2017-05-01T00:00:00Z",
                Precision::Month,
            ),
            ("constant='2017'", "", "2017-01-01T00:00:00Z", Precision::Year),
        ] {
            assert_eq!(read(toml, text), Ok((time.parse().unwrap(), precision)), "{toml}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_a_fault_of_its_column() {
        for text in ["31", "x", "", "0"] {
            let fault = read("column='t'\nformats=['%d']\nmonth='2017-06'", text).unwrap_err();
            assert_eq!(fault.column.as_deref(), Some("t"), "{text}");
        }
    }

    #[test]
    fn a_format_without_a_year_asks_for_one() {
        let spec: TimeSpec = toml::from_str("column='t'\nformats=['%d']").unwrap();
        let error = Moments::compile(&spec, &mut Columns::default()).unwrap_err();
        assert!(error.to_string().contains("`month`"), "{error}");
    }
}
