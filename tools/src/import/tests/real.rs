//! The real files, against `expected.md`.

use std::collections::BTreeMap;

use cx_model::event::{AnswerValue, ResponseSubmitted};

use super::*;

fn responses(events: &[Recorded]) -> Vec<&ResponseSubmitted> {
    bodies(events, |event| match event {
        Event::ResponseSubmitted(response) => Some(response),
        _ => None,
    })
}

fn scores(responses: &[&ResponseSubmitted], question: &str) -> Vec<(i32, f64)> {
    let score = |response: &&ResponseSubmitted| {
        let answer = response.answers.iter().find(|answer| answer.question == question)?;
        let weight = response.weight_millionths.map_or(1.0, |weight| weight as f64 / 1e6);
        match answer.value {
            AnswerValue::Score(score) => Some((score, weight)),
            _ => None,
        }
    };
    responses.iter().filter_map(score).collect()
}

fn unused(responses: &[&ResponseSubmitted], question: &str) -> usize {
    let unused = |response: &&&ResponseSubmitted| {
        response.answers.iter().any(|a| a.question == question && a.value == AnswerValue::NotUsed)
    };
    responses.iter().filter(unused).count()
}

fn nps(scores: &[(i32, f64)]) -> f64 {
    let share = |keep: fn(i32) -> bool| -> f64 {
        scores.iter().filter(|(score, _)| keep(*score)).map(|(_, weight)| weight).sum()
    };
    100.0 * (share(|score| score >= 9) - share(|score| score <= 6)) / share(|_| true)
}

fn top_two(scores: &[(i32, f64)]) -> f64 {
    scores.iter().filter(|(score, _)| *score >= 4).count() as f64 / scores.len() as f64
}

#[test]
fn the_airport_survey_of_2017_gives_the_expected_answers() {
    let Some(file) = real("sfo/2017.csv.gz") else { return };
    let house = House::new();
    let counts = house.import(&file, shipped_mapping("airport-2017")).unwrap();
    assert_eq!((counts.read, counts.taken, counts.quarantined), (2831, 2831, 0));
    let events = house.events();
    let all = responses(&events);
    let recommend = scores(&all, "recommend");
    assert_eq!(recommend.len(), 2746);
    assert_eq!(recommend.iter().filter(|(score, _)| *score >= 9).count(), 1436);
    assert_eq!(recommend.iter().filter(|(score, _)| *score <= 6).count(), 342);
    assert_eq!(format!("{:.3}", nps(&recommend)), "40.398");
    let bare: Vec<_> = recommend.iter().map(|(score, _)| (*score, 1.0)).collect();
    assert_eq!(format!("{:.4}", nps(&bare)), "39.8398");
    assert_eq!(format!("{:.4}", top_two(&scores(&all, "restaurants"))), "0.5572");
    assert_eq!(format!("{:.4}", top_two(&scores(&all, "clean_boarding_areas"))), "0.8744");
    assert_eq!(unused(&all, "long_term_parking"), 1816);
    for (name, value, figure) in [
        ("boarding_area", "G", "32.96"),
        ("had_problem", "yes", "18.77"),
        ("had_problem", "3", "3.70"),
    ] {
        let group: Vec<_> = all
            .iter()
            .filter(|response| response.attributes.get(name).is_some_and(|text| text == value))
            .copied()
            .collect();
        let bare: Vec<_> = scores(&group, "recommend").iter().map(|(s, _)| (*s, 1.0)).collect();
        assert_eq!(format!("{:.2}", nps(&bare)), figure, "{name} {value}");
    }
    let again = house.import(&file, shipped_mapping("airport-2017")).unwrap();
    assert_eq!((again.taken, again.repeated), (0, 2831));
    assert_eq!(house.events().len(), events.len() + 2);
}

#[test]
fn the_whole_airport_is_rated_as_expected_in_every_year() {
    let mut rated = BTreeMap::new();
    for year in ["2010", "2011", "2012", "2014", "2015", "2016", "2017"] {
        let Some(file) = real(&format!("sfo/{year}.csv.gz")) else { return };
        let house = House::new();
        let counts = house.import(&file, shipped_mapping(&format!("airport-{year}"))).unwrap();
        assert_eq!(counts.quarantined, 0, "{year}");
        let events = house.events();
        let whole = scores(&responses(&events), "whole_airport");
        rated.insert(year, format!("{:.4}", top_two(&whole)));
    }
    let expected = [
        ("2010", "0.7543"),
        ("2011", "0.7539"),
        ("2012", "0.7879"),
        ("2014", "0.7886"),
        ("2015", "0.8000"),
        ("2016", "0.8099"),
        ("2017", "0.8207"),
    ];
    assert_eq!(rated, expected.map(|(year, share)| (year, share.to_owned())).into());
}

#[test]
fn identical_purchases_are_purchases_of_their_own() {
    let Some(file) = real("cdnow/CDNOW_master.txt.gz") else { return };
    let house = House::new();
    let counts = house.import(&file, shipped_mapping("purchases")).unwrap();
    assert_eq!((counts.read, counts.taken), (69_659, 69_659));
    let events = house.events();
    let purchases = bodies(&events, |event| match event {
        Event::PurchaseMade(purchase) => Some(purchase),
        _ => None,
    });
    assert_eq!(purchases.iter().map(|p| p.amount_minor).sum::<i64>(), 250_031_563);
    let cds: u64 = purchases.iter().map(|p| u64::from(p.lines[0].quantity)).sum();
    assert_eq!(cds, 167_881);
    assert_eq!(purchases.iter().filter(|p| p.amount_minor == 0).count(), 80);
    assert_eq!(count(&events, "CustomerRegistered"), 23_570);
    let second = |event: &&Recorded| {
        event.envelope.source.as_ref().is_some_and(|source| !source.id.ends_with(" 1"))
    };
    assert_eq!(events.iter().filter(second).count(), 255);
    let days = |events: &Vec<&Recorded>| -> usize {
        let bought = events.iter().filter(|e| matches!(e.event, Event::PurchaseMade(_)));
        bought.map(|event| event.occurred_at()).collect::<std::collections::BTreeSet<_>>().len()
    };
    let once = by_customer(&events).values().filter(|events| days(events) == 1).count();
    assert_eq!(once, 12_054);
}

#[test]
fn the_help_desk_gives_the_expected_times() {
    let Some(file) = real("helpdesk/helpdesk.xes.gz") else { return };
    let house = House::new();
    let counts = house.import(&file, shipped_mapping("help-desk")).unwrap();
    assert_eq!((counts.read, counts.taken, counts.quarantined), (21_348, 21_348, 0));
    let events = house.events();
    assert_eq!(count(&events, "CaseOpened"), 4580);
    assert_eq!(count(&events, "CustomerRegistered"), 394);
    let mut cases: HashMap<_, (Timestamp, Option<f64>, Option<f64>)> = HashMap::new();
    for event in &events {
        let at = event.occurred_at();
        let hours = |from: Timestamp| (at.as_second() - from.as_second()) as f64 / 3600.0;
        match &event.event {
            Event::CaseOpened(opened) => {
                cases.insert(opened.case, (at, None, None));
            }
            Event::CaseAcknowledged(step) => {
                let case = cases.get_mut(&step.case).unwrap();
                case.1 = case.1.or(Some(hours(case.0)));
            }
            Event::CaseResolved(step) => {
                let case = cases.get_mut(&step.case).unwrap();
                case.2 = case.2.or(Some(hours(case.0)));
            }
            _ => {}
        }
    }
    let rank = |mut hours: Vec<f64>, permille: usize| {
        hours.sort_by(f64::total_cmp);
        let place = (hours.len() * permille).div_ceil(1000) - 1;
        (hours.len(), format!("{:.3}", hours[place]))
    };
    let first: Vec<_> = cases.values().filter_map(|case| case.1).collect();
    let solved: Vec<_> = cases.values().filter_map(|case| case.2).collect();
    assert_eq!(rank(first.clone(), 500), (4285, "16.390".into()));
    assert_eq!(rank(first, 900), (4285, "351.881".into()));
    assert_eq!(rank(solved.clone(), 500), (4569, "143.593".into()));
    assert_eq!(rank(solved, 900), (4569, "717.094".into()));
}

#[test]
fn the_click_stream_shows_the_planted_incident() {
    let Some(file) = real("ecom/ecom.csv.gz") else { return };
    let house = House::new();
    let counts = house.import(&file, shipped_mapping("click-stream")).unwrap();
    assert_eq!((counts.read, counts.taken, counts.quarantined), (31_106, 31_106, 0));
    let events = house.events();
    assert_eq!(count(&events, "CustomerRegistered"), 600);
    let mut sessions: HashMap<&str, (Timestamp, bool, bool)> = HashMap::new();
    for event in &events {
        let Event::InteractionRecorded(step) = &event.event else { continue };
        let at = event.occurred_at();
        let thread = step.thread.as_deref().unwrap();
        let session = sessions.entry(thread).or_insert((at, false, false));
        session.0 = session.0.min(at);
        session.1 |= step.kind == "payment_details";
        session.2 |= step.kind == "purchase";
    }
    assert_eq!(sessions.len(), 3605);
    let share = |from: &str, to: &str| {
        let (from, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
        let paying: Vec<_> =
            sessions.values().filter(|s| s.1 && (from..to).contains(&s.0)).collect();
        let bought = paying.iter().filter(|session| session.2).count();
        format!("{:.3}", bought as f64 / paying.len() as f64)
    };
    assert_eq!(share("2024-04-20T00:00:00Z", "2024-05-19T00:00:00Z"), "0.832");
    assert_eq!(share("2024-05-19T00:00:00Z", "2024-06-08T00:00:00Z"), "0.354");
    assert_eq!(share("2024-06-08T00:00:00Z", "2025-01-01T00:00:00Z"), "0.855");
}
