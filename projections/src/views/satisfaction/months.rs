//! In which month each response of a customer was given: an amendment and a withdrawal do not say.

use cx_model::{CustomerId, Month, ResponseId};
use jiff::Timestamp;

use super::Satisfaction;
use crate::rows::Rows;

/// The month of a moment in UTC: 12 times the year plus the month, less 1.
pub fn month_of(microseconds: i64) -> u32 {
    Month::of(Timestamp::from_microsecond(microseconds).unwrap_or_default()).0
}

/// Where the months of a customer's responses are kept; months are far below this and what follows.
const MONTHS: u32 = u32::MAX;
/// When they are more than this, they are spread over rows by the last byte of the response's id.
const MONTHS_PER_ROW: usize = 64;

pub(super) fn month_of_response(
    customer: CustomerId,
    response: ResponseId,
    rows: &mut Rows<'_, Satisfaction>,
) -> Option<u32> {
    let key = months_key(customer, response, rows);
    let months = &rows.private(&key)?.months;
    months.iter().find(|(known, _)| *known == response).map(|(_, month)| *month)
}

/// The private row in which the month of a response is kept.
pub(super) fn months_key(
    customer: CustomerId,
    response: ResponseId,
    rows: &mut Rows<'_, Satisfaction>,
) -> (CustomerId, u32) {
    let spread = rows.private(&(customer, MONTHS)).is_some_and(|kept| kept.spread);
    let place = if spread { 1 + u32::from(response.0.as_bytes()[15]) } else { 0 };
    (customer, MONTHS - place)
}

pub(super) fn note_month(
    customer: CustomerId,
    noted: (ResponseId, u32),
    rows: &mut Rows<'_, Satisfaction>,
) {
    let key = months_key(customer, noted.0, rows);
    let mut full = Vec::new();
    rows.update_private(&key, |kept| {
        kept.months.push(noted);
        if key.1 == MONTHS && kept.months.len() > MONTHS_PER_ROW {
            kept.spread = true;
            full = std::mem::take(&mut kept.months);
        }
    });
    for noted in full {
        let key = months_key(customer, noted.0, rows);
        rows.update_private(&key, |kept| kept.months.push(noted));
    }
}
