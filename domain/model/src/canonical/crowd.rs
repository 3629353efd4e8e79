//! The generated part: a dozen customers over half a year, so that figures have something to
//! count. The numbers come from a fixed generator and do not depend on any crate.

#![allow(clippy::wildcard_imports)] // it names nearly every event there is

use jiff::{Timestamp, ToSpan};

use crate::canonical::story::{
    DESK, SITE, answer, case, customer, interaction, opened, response, score, touchpoint,
};
use crate::canonical::{Teller, number, time};
use crate::event::*;
use crate::stream::StreamName;
use crate::vocabulary::*;

const CUSTOMERS: u128 = 12;
const DEEDS: u128 = 360;

/// The SplitMix64 generator.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % limit
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

pub(super) fn tell(book: &mut Teller) {
    let mut numbers = Numbers(20_250_701);
    let start = time("2025-01-01T00:00:00Z");
    for n in 0..CUSTOMERS {
        let kind = numbers.of(CustomerKind::ALL);
        book.tell(&customer(100 + n).stream(), start, CustomerRegistered { kind, name: None });
    }
    for n in 0..DEEDS {
        let who = customer(100 + u128::from(numbers.below(CUSTOMERS as u64))).stream();
        // Up to twenty days before or after its turn: a good part is recorded out of order.
        let hours = (n as i64 * 10 + numbers.below(480) as i64).hours();
        let at = start + hours;
        match numbers.below(10) {
            0..=3 => met(book, &mut numbers, &who, at, 1000 + n),
            4..=6 => answered(book, &mut numbers, &who, at, 1000 + n),
            7 => bought(book, &mut numbers, &who, at, 1000 + n),
            _ => asked(book, &mut numbers, &who, at, 1000 + n),
        }
    }
}

fn met(book: &mut Teller, numbers: &mut Numbers, who: &StreamName, at: Timestamp, n: u128) {
    let place = [None, Some(touchpoint(DESK)), Some(touchpoint(SITE))];
    let basis = numbers.of(ValenceBasis::ALL);
    let valence = Valence { score: numbers.below(201) as i16 - 100, basis };
    let event = InteractionRecorded {
        touchpoint: numbers.of(&place),
        direction: numbers.of(Direction::ALL),
        initiator: numbers.of(Initiator::ALL),
        stage: numbers.of(&[None, Some(Stage::Use), Some(Stage::Support)]),
        duration_seconds: numbers.of(&[None, Some(60), Some(600)]),
        valence: numbers.of(&[None, Some(valence)]),
        ..interaction(n, numbers.of(Channel::ALL))
    };
    book.tell(who, at, event);
    if numbers.below(12) == 0 {
        let reason = "recorded twice".to_owned();
        let interaction = number(0x2, n).into();
        book.tell(who, at + 1.hour(), InteractionVoided { interaction, reason });
    }
}

fn answered(book: &mut Teller, numbers: &mut Numbers, who: &StreamName, at: Timestamp, n: u128) {
    let mut value = |least: i32, most: i32| match numbers.below(8) {
        0 => AnswerValue::NotUsed,
        1 => AnswerValue::Blank,
        _ => score(least + numbers.below((most - least + 1) as u64) as i32),
    };
    let answers = vec![
        answer("recommend", value(0, 10)),
        answer("desk", value(1, 5)),
        answer("ease", value(1, 7)),
        answer("wait", value(1, 5)),
    ];
    book.tell(who, at, response(n, answers));
    let response = number(0x5, n).into();
    match numbers.below(10) {
        0 => {
            let answers = vec![answer("recommend", score(7)), answer("desk", AnswerValue::Blank)];
            book.tell(who, at + 26.hours(), ResponseAmended { response, answers });
        }
        1 => {
            let reason = "test".to_owned();
            book.tell(who, at + 30.hours(), ResponseWithdrawn { response, reason });
        }
        _ => {}
    }
}

fn bought(book: &mut Teller, numbers: &mut Numbers, who: &StreamName, at: Timestamp, n: u128) {
    let amount_minor = 100 + numbers.below(20_000) as i64;
    let event = PurchaseMade {
        order: number(0x3, n).into(),
        lines: vec![],
        amount_minor,
        currency: numbers.of(&["EUR", "USD"]).to_owned(),
        channel: numbers.of(&[None, Some(Channel::InPerson)]),
        touchpoint: None,
    };
    book.tell(who, at, event);
}

fn asked(book: &mut Teller, numbers: &mut Numbers, who: &StreamName, at: Timestamp, n: u128) {
    let (case, kind) = (case(n), numbers.of(CaseKind::ALL));
    let severity = numbers.of(Severity::ALL);
    book.tell(who, at, CaseOpened { severity, subject: None, ..opened(n, kind) });
    let end = numbers.below(6);
    if end >= 1 {
        book.tell(who, at + 2.hours(), CaseAcknowledged { case });
    }
    if end >= 2 {
        let human = numbers.below(4) > 0;
        book.tell(who, at + 5.hours(), AgentReplied { case, human, public: true, text: None });
    }
    if end >= 3 {
        let resolution = "explained".to_owned();
        book.tell(who, at + 40.hours(), CaseResolved { case, resolution });
    }
    match end {
        4 => {
            book.tell(who, at + 60.hours(), CaseClosed { case });
        }
        5 => {
            book.tell(who, at + 60.hours(), CaseReopened { case, reason: None });
        }
        _ => {}
    }
}
