//! What responses said, and what that puts into the cells.

use std::collections::BTreeMap;

use cx_model::event::Answer;
use cx_model::metrics::{ScoreCount, Scores};
use cx_model::{AnswerValue, InstrumentId, ResponseId, TouchpointId};
use serde::{Deserialize, Serialize};

use super::{Cell, Satisfaction};

/// What one response said, as far as cells need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub response: ResponseId,
    pub occurred_at: i64,
    pub ordinal: u64,
    pub instrument: InstrumentId,
    pub weight_millionths: u64,
    pub attributes: Vec<String>,
    pub answers: Vec<(String, Option<TouchpointId>, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Score(i32),
    NotApplicable,
    Blank,
}

pub(super) fn answers_of(answers: &[Answer]) -> Vec<(String, Option<TouchpointId>, Value)> {
    let value = |answer: &Answer| {
        Some(match &answer.value {
            AnswerValue::Score(score) => Value::Score(*score),
            AnswerValue::NotUsed => Value::NotApplicable,
            AnswerValue::Blank => Value::Blank,
            AnswerValue::Text(_) => return None,
        })
    };
    let said = |answer: &Answer| Some((answer.question.clone(), answer.touchpoint, value(answer)?));
    answers.iter().filter_map(said).collect()
}

pub(super) fn scores_of(value: Value, weight_millionths: u64, sign: i64) -> Scores {
    let mut scores = Scores::default();
    match value {
        Value::Score(score) => {
            scores.by_score.insert(score, ScoreCount::one(weight_millionths, sign));
        }
        Value::NotApplicable => scores.not_applicable = sign,
        Value::Blank => scores.blank = sign,
    }
    scores
}

/// What a customer's responses of one month put into the cells, with a sign.
pub(super) fn contributions(
    month: u32,
    said: &[Said],
    sign: i64,
    into: &mut BTreeMap<Cell, Satisfaction>,
) {
    let mut order: Vec<&Said> = said.iter().collect();
    order.sort_by_key(|said| (said.occurred_at, said.ordinal));
    let asked = |said: &Said, instrument, question: &str, touchpoint| {
        said.instrument == instrument
            && said.answers.iter().any(|(name, at, _)| name == question && *at == touchpoint)
    };
    for said in &order {
        for (question, touchpoint, value) in &said.answers {
            let same = |other: &&&Said| asked(other, said.instrument, question, *touchpoint);
            let is =
                |other: Option<&&Said>| other.is_some_and(|other| other.response == said.response);
            let first = is(order.iter().find(same));
            let latest = is(order.iter().rev().find(same));
            let scores = scores_of(*value, said.weight_millionths, sign);
            let all = std::iter::once("").chain(said.attributes.iter().map(String::as_str));
            for attribute in all {
                let cell = into
                    .entry(Cell {
                        instrument: said.instrument,
                        question: question.clone(),
                        touchpoint: *touchpoint,
                        attribute: attribute.to_owned(),
                        month,
                    })
                    .or_default();
                cell.all.add(&scores);
                if first {
                    cell.first.add(&scores);
                }
                if latest {
                    cell.latest.add(&scores);
                }
            }
        }
    }
}
