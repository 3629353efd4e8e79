//! The year that is told: the same each time, by the rules, and believable.

use super::*;

#[test]
fn the_same_seed_tells_the_same_year_and_another_tells_another() {
    let ids = |seed| -> Vec<_> {
        let year = regular(Story::new(seed).year(30));
        year.into_iter().map(|told| (told.event.id, told.event.envelope.occurred_at)).collect()
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}

/// What a year's answers come to, worked out by hand: the NPS, and the share of the satisfied in
/// percent, each with how many answers.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    nps: (f64, f64),
    csat: (f64, f64),
    effort: (f64, f64),
}

impl Figures {
    fn add(&mut self, answer: &e::Answer) {
        let cx_model::AnswerValue::Score(score) = answer.value else { return };
        let (sum, value) = match answer.question.as_str() {
            "recommend" => (&mut self.nps, 100 * (i32::from(score >= 9) - i32::from(score <= 6))),
            "satisfied" => (&mut self.csat, 100 * i32::from(score >= 4)),
            "easy" => (&mut self.effort, score),
            _ => return,
        };
        sum.0 += f64::from(value);
        sum.1 += 1.0;
    }
}

fn mean((sum, n): (f64, f64)) -> f64 {
    sum / n.max(1.0)
}

/// The figures of the whole year and of each month.
fn figures(seed: u64, customers: usize) -> (Figures, Vec<Figures>) {
    let (mut whole, mut months) = (Figures::default(), vec![Figures::default(); 12]);
    for told in regular(Story::new(seed).year(customers)) {
        let Event::ResponseSubmitted(response) = &told.event.event else { continue };
        let date = told.event.envelope.occurred_at.to_zoned(jiff::tz::TimeZone::UTC);
        for answer in &response.answers {
            whole.add(answer);
            months[usize::from(date.month().unsigned_abs()) - 1].add(answer);
        }
    }
    (whole, months)
}

#[test]
fn nps_and_satisfaction_tell_one_story_and_september_is_bad_in_both() {
    for seed in 1..=3 {
        let (whole, months) = figures(seed, 2_000);
        let (nps, csat, effort) = (mean(whole.nps), mean(whole.csat), mean(whole.effort));
        let by_month = |of: fn(&Figures) -> (f64, f64)| -> Vec<f64> {
            months.iter().map(|month| mean(of(month))).collect()
        };
        let said = [by_month(|month| month.nps), by_month(|month| month.csat)];
        assert!((20.0..=35.0).contains(&nps), "seed {seed}: NPS {nps:.1}");
        assert!((75.0..=85.0).contains(&csat), "seed {seed}: CSAT {csat:.1} %");
        assert!((5.0..=6.0).contains(&effort), "seed {seed}: effort {effort:.2}");
        for months in said {
            let mean = |range: std::ops::Range<usize>| {
                months[range.clone()].iter().sum::<f64>() / range.len() as f64
            };
            let (before, september, after) = (mean(3..8), months[8], mean(10..12));
            assert!(september < before - 15.0, "seed {seed}: {months:.1?}");
            assert!(after > september + 10.0, "seed {seed}: {months:.1?}");
        }
    }
}

#[test]
fn the_year_follows_the_rules_of_the_model_and_ends_in_time() {
    let year = Story::new(3).year(200);
    let told = year.len();
    assert!(
        year.iter().all(|told| { told.event.envelope.occurred_at.as_second() < story::YEAR_END })
    );
    assert!(year.is_sorted_by_key(|told| told.event.envelope.occurred_at));
    let kept = regular(year).len();
    assert!(kept * 100 > told * 99, "{kept} of {told} follow the rules");
}
