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

/// The NPS of each month, worked out by hand.
fn nps_by_month(seed: u64, customers: usize) -> Vec<f64> {
    let mut months = vec![(0.0, 0.0); 12];
    for told in regular(Story::new(seed).year(customers)) {
        let Event::ResponseSubmitted(response) = &told.event.event else { continue };
        let date = told.event.envelope.occurred_at.to_zoned(jiff::tz::TimeZone::UTC);
        for answer in response.answers.iter().filter(|answer| answer.question == "recommend") {
            let cx_model::AnswerValue::Score(score) = answer.value else { continue };
            let month = &mut months[usize::from(date.month().unsigned_abs()) - 1];
            month.0 += f64::from(i32::from(score >= 9) - i32::from(score <= 6));
            month.1 += 1.0;
        }
    }
    months.into_iter().map(|(sum, n)| 100.0 * sum / f64::max(n, 1.0)).collect()
}

#[test]
fn september_dips_in_the_nps_and_the_year_recovers() {
    for seed in 1..=3 {
        let months = nps_by_month(seed, 2_000);
        let mean = |range: std::ops::Range<usize>| {
            months[range.clone()].iter().sum::<f64>() / range.len() as f64
        };
        let (before, september, after) = (mean(3..8), months[8], mean(10..12));
        assert!(september < before - 15.0, "seed {seed}: {months:.1?}");
        assert!(after > september + 10.0, "seed {seed}: {months:.1?}");
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
