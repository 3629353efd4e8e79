//! What customers answer when they are asked.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use cx_model::event as e;
use cx_model::{AnswerValue, InstrumentId, ResponseId};

use super::places::{Place, after_contact, relationship};
use super::{DAY, HOUR, Life, MINUTE, Story};
use crate::demo::words;

impl Story {
    /// Asks after a contact; most do not answer.
    pub(super) fn ask(&mut self, life: &Life, at: i64, place: Place, felt: i16) {
        if !self.chance(0.4) {
            return;
        }
        let instrument = after_contact();
        self.by_shop(life, at, e::InvitationSent { instrument, touchpoint: Some(place.id()) });
        if !self.chance(0.35) {
            return;
        }
        let felt = f64::from(felt) / 100.0;
        // Most who are served as promised answer 4 or 5; who waits in vain answers 1 or 2.
        let satisfied = self.answer(3.55 + 2.2 * felt, 1.5, 1..=5);
        let easy = self.answer(4.9 + 2.6 * felt, 1.2, 1..=7);
        let easy = if self.chance(0.1) { AnswerValue::Blank } else { AnswerValue::Score(easy) };
        let touchpoint = Some(place.id());
        let answer =
            |question: &str, value| e::Answer { question: question.into(), touchpoint, value };
        let answers =
            vec![answer("satisfied", AnswerValue::Score(satisfied)), answer("easy", easy)];
        self.respond(life, at + 3 * HOUR, instrument, &answers);
    }

    /// Asks how likely a recommendation is: the mood speaks, and the last delivery if it was bad.
    pub(super) fn relationship_survey(&mut self, life: &Life, at: i64, felt: i16) {
        let instrument = relationship();
        self.by_shop(life, at, e::InvitationSent { instrument, touchpoint: None });
        if !self.chance(0.45) {
            return;
        }
        let sting = 7.0 * f64::from(felt.min(0)) / 100.0;
        let score = self.answer(6.95 + 4.2 * life.mood + sting, 2.2, 0..=10);
        let answer = |question: &str, value| e::Answer {
            question: question.into(),
            touchpoint: None,
            value,
        };
        let mut answers = vec![answer("recommend", AnswerValue::Score(score))];
        if self.chance(0.5) {
            let comment = words::comment(score, self.dice.usize(..4));
            answers.push(answer("why", AnswerValue::Text(comment.to_owned().into())));
        }
        let answered = at + self.between(HOUR, 2 * DAY);
        self.respond(life, answered, instrument, &answers);
    }

    /// A score about what somebody thinks: no two answer alike.
    fn answer(&mut self, thinks: f64, spread: f64, scale: RangeInclusive<i32>) -> i32 {
        let noise = spread * (self.dice.f64() + self.dice.f64() - 1.0);
        ((thinks + noise).round() as i32).clamp(*scale.start(), *scale.end())
    }

    fn respond(&mut self, life: &Life, at: i64, instrument: InstrumentId, answers: &[e::Answer]) {
        let response = ResponseId(self.fresh("response"));
        let device = if life.mobile { "phone" } else { "computer" };
        let submitted = e::ResponseSubmitted {
            response,
            instrument,
            answers: answers.to_vec(),
            weight_millionths: None,
            attributes: BTreeMap::from([("device".to_owned(), device.to_owned())]),
            case: None,
            partial: false,
        };
        self.by_customer(life, at, submitted);
        if self.chance(0.01) {
            let mut changed = answers[0].clone();
            if let AnswerValue::Score(score) = &mut changed.value {
                *score = (*score - 1).max(1);
            }
            let amended = e::ResponseAmended { response, answers: vec![changed] };
            self.by_customer(life, at + 10 * MINUTE, amended);
        } else if self.chance(0.004) {
            let reason = "asked to be left out".to_owned();
            self.by_customer(life, at + DAY, e::ResponseWithdrawn { response, reason });
        }
    }
}
