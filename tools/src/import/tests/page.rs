//! `docs/importing.md` does what it says.

use super::*;
use crate::quarantine::{mended, retake};

const PAGE: &str = include_str!("../../../../docs/importing.md");

fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = PAGE.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_pages_example_is_taken_mended_and_taken_again() {
    let house = House::new();
    let (csv, maps) = (blocks("csv"), blocks("toml"));
    let counts = house.import_bytes(csv[0].as_bytes(), &maps[0]).unwrap();
    assert_eq!((counts.read, counts.taken, counts.quarantined), (3, 2, 1));
    let mut store = house.quarantine();
    let entry = store.entries().unwrap().remove(0);
    assert_eq!((entry.line, entry.column.as_deref()), (4, Some("day")));
    let sets: Vec<_> =
        PAGE.split("--set ").skip(1).map(|rest| rest.lines().next().unwrap().to_owned()).collect();
    let entry = mended(&entry, &sets, None, [].into_iter()).unwrap();
    store.mend(&entry).unwrap();
    assert_eq!(retake(house.data(), &mut store, &[entry], None).unwrap().counts.taken, 1);
    let again = house.import_bytes(csv[0].as_bytes(), &maps[0]).unwrap();
    assert_eq!((again.taken, again.repeated, again.quarantined), (0, 3, 0));
}

#[test]
fn the_pages_survey_and_log_are_right() {
    let house = House::new();
    let maps = blocks("toml");
    let survey = br#"{"id":1,"at":"2024-02-03T10:00:00Z","branch":"A","answers":{"checkout":6,"recommend":11}}
{"id":2,"at":"2024-02-03T10:00:00Z","branch":"A","weight":0.5,"answers":{"checkout":5,"recommend":10}}"#;
    assert_eq!(house.import_bytes(survey, &maps[1]).unwrap().taken, 2);
    assert!(MappingText::parse(maps[2].clone()).is_ok());
}
