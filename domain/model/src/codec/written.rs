//! The form in which this program writes events, read without looking for any other form.
//!
//! Nearly every event in a ledger stands there as `encode` wrote it: members in one order, no
//! spaces, times in one form. What is anything else is `None` here and is left to the general
//! reader, which also says what is wrong with it; what is read here, it would read equally.

use jiff::Timestamp;
use uuid::Uuid;

use crate::envelope::{Actor, Envelope, Source};
use crate::ids::{AgentId, CustomerId};
use crate::vocabulary::Precision;

/// The envelope and the JSON of the body, for data of version 1 in the written form.
pub(super) fn split(data: &str) -> Option<(Envelope, &str)> {
    let mut rest = Rest(data.strip_suffix('}')?);
    rest.skip("{\"v\":1,\"occurredAt\":")?;
    let mut envelope = Envelope::new(time(rest.string()?)?, Actor::Customer { id: None });
    if rest.skip(",\"precision\":").is_some() {
        envelope.precision = Precision::from_text(rest.string()?)?;
    }
    rest.skip(",\"actor\":")?;
    envelope.actor = rest.actor()?;
    if rest.skip(",\"source\":{\"system\":").is_some() {
        let system = rest.string()?.to_owned();
        rest.skip(",\"id\":")?;
        envelope.source = Some(Source { system, id: rest.string()?.to_owned() });
        rest.skip("}")?;
    }
    rest.skip(",\"body\":")?;
    Some((envelope, rest.0))
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        let text = self.0.strip_prefix('"')?;
        let end = text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        self.0 = text[end..].strip_prefix('"')?;
        Some(&text[..end])
    }

    fn actor(&mut self) -> Option<Actor> {
        self.skip("{\"kind\":")?;
        let actor = match self.string()? {
            "customer" => {
                let given = self.skip(",\"id\":");
                Actor::Customer {
                    id: if given.is_some() { Some(CustomerId(self.id()?)) } else { None },
                }
            }
            "agent" => {
                self.skip(",\"id\":")?;
                Actor::Agent { id: AgentId(self.id()?) }
            }
            "system" => {
                self.skip(",\"name\":")?;
                Actor::System { name: self.string()?.to_owned() }
            }
            _ => return None,
        };
        self.skip("}")?;
        Some(actor)
    }

    fn id(&mut self) -> Option<Uuid> {
        Uuid::try_parse(self.string()?).ok()
    }
}

/// `2026-01-02T03:04:05Z`, with up to nine digits of a second's fraction.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    const MONTHS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let bytes = text.as_bytes();
    let (whole, fraction) = bytes.split_at_checked(19)?;
    let marks = [whole[4], whole[7], whole[10], whole[13], whole[16]];
    if marks != *b"--T::" {
        return None;
    }
    let number = |at: usize| {
        let (tens, ones) = (whole[at].wrapping_sub(b'0'), whole[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| tens * 10 + ones)
    };
    let year = i64::from(number(0)?) * 100 + i64::from(number(2)?);
    let (month, day) = (number(5)?, number(8)?);
    let (hour, minute, second) = (number(11)?, number(14)?, number(17)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = *MONTHS.get(usize::from(month.checked_sub(1)?))? + u8::from(is_leap && month == 2);
    if day == 0 || day > days || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_from_civil(year, i64::from(month), i64::from(day)) * 86_400
        + i64::from(hour) * 3_600
        + i64::from(minute) * 60
        + i64::from(second);
    Timestamp::new(seconds, nanoseconds(fraction)?).ok()
}

/// `Z`, or a point, one to nine digits and `Z`.
fn nanoseconds(fraction: &[u8]) -> Option<i32> {
    let digits = match fraction {
        b"Z" => return Some(0),
        [b'.', digits @ .., b'Z'] => digits,
        _ => return None,
    };
    if !(1..=9).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let read = digits.iter().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    Some(read * 10_i32.pow(9 - digits.len() as u32))
}

/// Days from 1970 of a date in the Gregorian calendar, by years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{encode, read, read_any_form};
    use super::*;
    use crate::event::{CaseClosed, Event, InteractionVoided};
    use crate::ids::{CaseId, InteractionId};

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z0-9_ -]{0,12}", "[\"\\\\/\u{1}\n\u{7f}äあ😀{},:]{0,6}"]
    }

    fn id() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    fn times() -> impl Strategy<Value = Timestamp> {
        let seconds = prop_oneof![
            Timestamp::MIN.as_second() + 1..Timestamp::MAX.as_second(),
            1_000_000_000_i64..2_000_000_000,
        ];
        let fraction = prop_oneof![
            Just(0),
            (0..1000).prop_map(|n| n * 1_000_000),
            (0..1_000_000).prop_map(|n| n * 1000),
            0..1_000_000_000,
        ];
        (seconds, fraction).prop_map(|(s, n)| Timestamp::new(s, n).unwrap())
    }

    fn envelope() -> impl Strategy<Value = Envelope> {
        let actor = prop_oneof![
            proptest::option::of(id()).prop_map(|id| Actor::Customer { id: id.map(CustomerId) }),
            id().prop_map(|id| Actor::Agent { id: AgentId(id) }),
            text().prop_map(|name| Actor::System { name }),
        ];
        let source = (text(), text()).prop_map(|(system, id)| Source { system, id });
        let precision = proptest::sample::select(Precision::ALL);
        (times(), precision, actor, proptest::option::of(source)).prop_map(
            |(time, precision, actor, source)| Envelope {
                precision,
                source,
                ..Envelope::new(time, actor)
            },
        )
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            id().prop_map(|id| CaseClosed { case: CaseId(id) }.into()),
            (id(), text()).prop_map(|(id, reason)| {
                InteractionVoided { interaction: InteractionId(id), reason }.into()
            }),
        ]
    }

    /// What both readers say of the same bytes.
    fn both(event_type: &str, data: &[u8]) -> [Option<(Envelope, Event)>; 2] {
        match event_type {
            "CaseClosed" => [
                read::<CaseClosed>(event_type, data).ok(),
                read_any_form::<CaseClosed>(event_type, data).ok(),
            ],
            _ => [
                read::<InteractionVoided>(event_type, data).ok(),
                read_any_form::<InteractionVoided>(event_type, data).ok(),
            ],
        }
    }

    proptest! {
        #[test]
        fn an_event_as_it_was_written_is_read_as_the_general_reader_reads_it(
            envelope in envelope(), event in event(),
        ) {
            let data = encode(&envelope, &event).unwrap().data;
            let expected = Some((envelope, event.clone()));
            prop_assert_eq!(both(event.event_type(), &data), [expected.clone(), expected]);
        }

        #[test]
        fn changed_bytes_are_read_or_refused_as_the_general_reader_does(
            envelope in envelope(), event in event(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..3, any::<u8>()), 1..3),
        ) {
            let mut data = encode(&envelope, &event).unwrap().data;
            for (place, kind, byte) in changes {
                let at = place.index(data.len());
                let byte = if byte < 128 { b"\"\\{}:, 0192Zz-"[usize::from(byte) % 14] } else { byte };
                match kind {
                    0 => data[at] = byte,
                    1 => data.insert(at, byte),
                    _ => drop(data.remove(at)),
                }
            }
            let [fast, general] = both(event.event_type(), &data);
            prop_assert_eq!(fast, general);
        }

        #[test]
        fn a_time_is_read_as_jiff_reads_it(
            time in times(), changed in proptest::option::of((any::<prop::sample::Index>(), "[0-9Z.:T+ -]")),
        ) {
            let mut text = time.to_string();
            if let Some((place, with)) = changed {
                let at = place.index(text.len());
                text.replace_range(at..=at, &with);
            }
            if let Some(read) = super::time(&text) {
                prop_assert_eq!(Ok(read), text.parse::<Timestamp>().map_err(drop));
            }
        }
    }

    #[test]
    fn the_written_form_is_read_here() {
        for time in
            ["0000-02-29T00:00:00Z", "2024-12-31T23:59:59.5Z", "9999-12-30T21:59:59.999999999Z"]
        {
            let envelope = Envelope {
                source: Some(Source { system: "crm".into(), id: "7".into() }),
                precision: Precision::Day,
                ..Envelope::new(time.parse().unwrap(), Actor::System { name: "import".into() })
            };
            let event = CaseClosed { case: CaseId(Uuid::from_u128(1)) }.into();
            let data = String::from_utf8(encode(&envelope, &event).unwrap().data).unwrap();
            let body = r#"{"case":"00000000-0000-0000-0000-000000000001"}"#;
            assert_eq!(split(&data), Some((envelope, body)));
        }
        for no_time in [
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "é024-01-01T00:00:0Z",
        ] {
            assert_eq!(super::time(no_time), None);
        }
    }
}
