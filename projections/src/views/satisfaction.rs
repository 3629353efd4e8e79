//! What customers answered, by question, touchpoint, attribute and month.
//!
//! A cell holds how often each score was given: every figure (NPS, CSAT, CES, the mean, with
//! intervals, weighted or not) follows from that when it is read, and cells of several months or
//! questions add up. What one customer answered in one month is kept in a private row, so that an
//! amendment or a withdrawal knows what to take back.

mod cell;
mod months;
mod said;

use std::collections::BTreeMap;

use cx_model::event::ResponseSubmitted;
use cx_model::metrics::Scores;
use cx_model::{CustomerId, Event, Recorded, ResponseId, TouchpointId};
use serde::{Deserialize, Serialize};

use crate::projection::{Figure, Projection, customer_lane};
use crate::rows::Rows;
pub use cell::Cell;
pub use months::month_of;
use months::{month_of_response, months_key, note_month};
use said::{Said, Value, answers_of, contributions, scores_of};

/// The answers of one cell, by how several responses of one customer in one month count.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Written<Scores>")]
pub struct Satisfaction {
    /// Every response counts.
    pub all: Scores,
    /// The first of the month counts.
    pub first: Scores,
    /// The latest of the month counts.
    pub latest: Scores,
}

/// As it is kept: most customers answer once a month, and then all three are the same.
#[derive(Serialize, Deserialize)]
struct Written<S> {
    all: S,
    first: Option<S>,
    latest: Option<S>,
}

impl Serialize for Satisfaction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { all, first, latest } = self;
        let shown = serializer.is_human_readable();
        let unless_all = |scores| Some(scores).filter(|scores| shown || *scores != all);
        Written { all, first: unless_all(first), latest: unless_all(latest) }.serialize(serializer)
    }
}

impl From<Written<Scores>> for Satisfaction {
    fn from(Written { all, first, latest }: Written<Scores>) -> Self {
        let or_all = |scores: Option<Scores>| scores.unwrap_or_else(|| all.clone());
        Self { first: or_all(first), latest: or_all(latest), all }
    }
}

impl Satisfaction {
    /// What counts in every way.
    fn alike(scores: Scores) -> Self {
        Self { first: scores.clone(), latest: scores.clone(), all: scores }
    }
}

/// A private row: what one customer said in one month, or the months of the customer's responses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    said: Vec<Said>,
    months: Vec<(ResponseId, u32)>,
    /// The customer has so many responses that their months stand in rows of their own.
    spread: bool,
}

impl Figure for Satisfaction {
    fn add(&mut self, delta: &Self) {
        self.all.add(&delta.all);
        self.first.add(&delta.first);
        self.latest.add(&delta.latest);
    }
}

impl Projection for Satisfaction {
    const NAME: &'static str = "satisfaction";
    const REVISION: u32 = 2;
    type Key = Cell;
    type View = Self;
    /// By customer and month, or `MONTHS`.
    type Private = ((CustomerId, u32), Kept);

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(_: &Cell) -> Option<u64> {
        None
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(customer) = event.customer() else { return };
        match &event.event {
            Event::ResponseSubmitted(it) => {
                let occurred_at = event.occurred_at().as_microsecond();
                let said = Said {
                    response: it.response,
                    occurred_at,
                    ordinal: event.ordinal,
                    instrument: it.instrument,
                    weight_millionths: it.weight_millionths.unwrap_or(1_000_000),
                    attributes: attributes_of(&it.attributes),
                    answers: answers_of(&it.answers),
                };
                let month = month_of(occurred_at);
                if month_of_response(customer, it.response, rows).is_none() {
                    note_month(customer, (it.response, month), rows);
                    add(customer, month, said, rows);
                }
            }
            Event::ResponseAmended(it) => {
                let Some(month) = month_of_response(customer, it.response, rows) else { return };
                let amended = answers_of(&it.answers);
                change(customer, month, rows, |kept| {
                    let known = kept.iter_mut().find(|said| said.response == it.response);
                    let Some(said) = known else { return };
                    for (question, touchpoint, value) in amended {
                        let same = |(q, t, _): &&mut (String, Option<TouchpointId>, Value)| {
                            *q == question && *t == touchpoint
                        };
                        match said.answers.iter_mut().find(same) {
                            Some(answer) => answer.2 = value,
                            None => said.answers.push((question, touchpoint, value)),
                        }
                    }
                });
            }
            Event::ResponseWithdrawn(it) => {
                let Some(month) = month_of_response(customer, it.response, rows) else { return };
                change(customer, month, rows, |kept| {
                    kept.retain(|said| said.response != it.response);
                });
                let key = months_key(customer, it.response, rows);
                rows.update_private(&key, |kept| {
                    kept.months.retain(|(response, _)| *response != it.response);
                });
            }
            _ => {}
        }
    }
}

/// As `name=value`. A name that no response is taken with any more, as one with an equals sign, would
/// be read as another name.
fn attributes_of(attributes: &BTreeMap<String, String>) -> Vec<String> {
    let named = attributes.iter().filter(|(name, _)| ResponseSubmitted::takes_attribute(name));
    named.map(|(name, value)| format!("{name}={value}")).collect()
}

/// Adds what a customer said: at once if it is all the customer said in the month.
fn add(customer: CustomerId, month: u32, said: Said, rows: &mut Rows<'_, Satisfaction>) {
    let key = (customer, month);
    if rows.private(&key).is_some() {
        return change(customer, month, rows, |kept| kept.push(said));
    }
    let mut cell = Cell {
        instrument: said.instrument,
        question: String::new(),
        touchpoint: None,
        attribute: String::new(),
        month,
    };
    for (question, touchpoint, value) in &said.answers {
        let delta = Satisfaction::alike(scores_of(*value, said.weight_millionths, 1));
        cell.question.clone_from(question);
        cell.touchpoint = *touchpoint;
        for attribute in std::iter::once("").chain(said.attributes.iter().map(String::as_str)) {
            attribute.clone_into(&mut cell.attribute);
            rows.add(&cell, &delta);
        }
    }
    rows.put_private(&key, Kept { said: vec![said], ..Kept::default() });
}

/// Changes what a customer said in a month, and the cells by the difference.
fn change(
    customer: CustomerId,
    month: u32,
    rows: &mut Rows<'_, Satisfaction>,
    edit: impl FnOnce(&mut Vec<Said>),
) {
    let key = (customer, month);
    let mut kept = rows.private(&key).cloned().unwrap_or_default();
    let mut deltas = BTreeMap::new();
    contributions(month, &kept.said, -1, &mut deltas);
    edit(&mut kept.said);
    contributions(month, &kept.said, 1, &mut deltas);
    if kept.said.is_empty() {
        rows.take_private(&key);
    } else {
        rows.put_private(&key, kept);
    }
    for (cell, delta) in deltas {
        if delta != Satisfaction::default() {
            rows.add(&cell, &delta);
        }
    }
}

#[cfg(test)]
mod tests {
    use cx_model::event::{Answer, ResponseAmended, ResponseWithdrawn};
    use cx_model::{AnswerValue, InstrumentId};
    use uuid::Uuid;

    use super::*;
    use crate::given::{customer, given, happened};

    fn instrument() -> InstrumentId {
        InstrumentId(Uuid::from_u128(7))
    }

    fn answers(score: i32) -> Vec<Answer> {
        vec![Answer {
            question: "recommend".into(),
            touchpoint: None,
            value: AnswerValue::Score(score),
        }]
    }

    fn response(n: u128, score: i32) -> ResponseSubmitted {
        ResponseSubmitted {
            response: ResponseId(Uuid::from_u128(n)),
            instrument: instrument(),
            answers: answers(score),
            weight_millionths: None,
            attributes: BTreeMap::new(),
            case: None,
            partial: false,
        }
    }

    fn cell(month: u32) -> Cell {
        Cell {
            instrument: instrument(),
            question: "recommend".into(),
            touchpoint: None,
            attribute: String::new(),
            month,
        }
    }

    fn counts(scores: &[i32]) -> Scores {
        let mut sum = Scores::default();
        for score in scores {
            sum.add(&scores_of(Value::Score(*score), 1_000_000, 1));
        }
        sum
    }

    const JANUARY: u32 = 2026 * 12;

    #[test]
    fn the_first_and_the_latest_response_of_a_month_are_told_apart() {
        given::<Satisfaction>([
            happened(customer(1), response(1, 3)).at("2026-01-20T00:00:00Z"),
            happened(customer(1), response(2, 10)).at("2026-01-05T00:00:00Z"),
            happened(customer(1), response(3, 7)).at("2026-02-01T00:00:00Z"),
            happened(customer(2), response(4, 9)).at("2026-01-31T23:59:59Z"),
        ])
        .then(
            cell(JANUARY),
            Satisfaction {
                all: counts(&[3, 10, 9]),
                first: counts(&[10, 9]),
                latest: counts(&[3, 9]),
            },
        )
        .then(
            cell(JANUARY + 1),
            Satisfaction { all: counts(&[7]), first: counts(&[7]), latest: counts(&[7]) },
        );
    }

    #[test]
    fn a_withdrawn_response_no_longer_counts_and_an_amended_one_counts_anew() {
        let amended =
            ResponseAmended { response: ResponseId(Uuid::from_u128(1)), answers: answers(8) };
        let withdrawn = ResponseWithdrawn {
            response: ResponseId(Uuid::from_u128(2)),
            reason: "mistake".into(),
        };
        given::<Satisfaction>([
            happened(customer(1), response(1, 3)).at("2026-01-20T00:00:00Z"),
            happened(customer(2), response(2, 0)).at("2026-01-21T00:00:00Z"),
            happened(customer(1), amended),
            happened(customer(2), withdrawn.clone()),
            happened(customer(2), withdrawn),
        ])
        .then(
            cell(JANUARY),
            Satisfaction { all: counts(&[8]), first: counts(&[8]), latest: counts(&[8]) },
        );
    }

    #[test]
    fn a_customer_with_very_many_responses_can_withdraw_each() {
        let submitted =
            (0..200).map(|n| happened(customer(1), response(n, 5)).at("2026-01-20T00:00:00Z"));
        let withdrawn = (0..200).filter(|n| n % 2 == 0).map(|n| {
            let response = ResponseId(Uuid::from_u128(n));
            happened(customer(1), ResponseWithdrawn { response, reason: "mistake".into() })
        });
        let all = counts(&[5; 100]);
        given::<Satisfaction>(submitted.chain(withdrawn))
            .then(cell(JANUARY), Satisfaction { all, first: counts(&[5]), latest: counts(&[5]) });
    }

    #[test]
    fn an_attribute_has_cells_of_its_own() {
        let mut with = response(1, 9);
        with.attributes.insert("area".into(), "G".into());
        let sums = Satisfaction { all: counts(&[9]), first: counts(&[9]), latest: counts(&[9]) };
        let area = Cell { attribute: "area=G".into(), ..cell(JANUARY) };
        given::<Satisfaction>([happened(customer(1), with).at("2026-01-20T00:00:00Z")])
            .then(cell(JANUARY), sums.clone())
            .then(area, sums);
    }

    #[test]
    fn an_attribute_whose_name_would_be_read_as_another_is_counted_nowhere() {
        let mut with = response(1, 9);
        for name in ["", "area", "area=x"] {
            with.attributes.insert(name.into(), "G=H".into());
        }
        let sums = Satisfaction { all: counts(&[9]), first: counts(&[9]), latest: counts(&[9]) };
        let named = |attribute: &str| Cell { attribute: attribute.into(), ..cell(JANUARY) };
        given::<Satisfaction>([happened(customer(1), with).at("2026-01-20T00:00:00Z")])
            .then(cell(JANUARY), sums.clone())
            .then(named("area=G=H"), sums)
            .then_none(named("=G=H"))
            .then_none(named("area=x=G=H"));
    }

    crate::laws!(Satisfaction);
}
