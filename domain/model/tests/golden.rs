//! Old events decode for ever: the bytes of each version of each event, as files.
//!
//! `NAME.vN.json` is the fullest event of that version in the canonical history, `NAME.vN.least.json`
//! the barest where that is another. A file never changes. For a new event or version, run this
//! test once with `CX_GOLDEN=write`: it writes what is missing and overwrites nothing.

#![allow(clippy::unwrap_used)] // the helpers of a test fail by panicking, as the test does

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cx_model::{Event, canonical, decode, encode};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// What should stand in the directory, by name.
fn expected() -> BTreeMap<String, Vec<u8>> {
    let mut by_type: BTreeMap<String, BTreeSet<(usize, Vec<u8>)>> = BTreeMap::new();
    for event in canonical::history() {
        if let Event::Unknown(_) = event.event {
            continue;
        }
        let data = encode(&event.envelope, &event.event).unwrap().data;
        let event_type = event.event.event_type().to_owned();
        by_type.entry(event_type).or_default().insert((data.len(), data));
    }
    let mut files = BTreeMap::new();
    for (event_type, all) in by_type {
        let (least, most) = (all.first().unwrap(), all.last().unwrap());
        files.insert(format!("{event_type}.v1.json"), most.1.clone());
        if least.0 < most.0 {
            files.insert(format!("{event_type}.v1.least.json"), least.1.clone());
        }
    }
    files
}

#[test]
fn every_version_of_every_event_reads_and_writes_back_byte_for_byte() {
    let mut types = BTreeSet::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (event_type, version) = name.split_once(".v").unwrap();
        assert!(version.starts_with("1."), "{name}: test how version {version} is read");
        let file = fs::read(&path).unwrap();
        let data = file.strip_suffix(b"\n").unwrap();
        let (envelope, event) = decode(event_type, data, b"").unwrap();
        assert_eq!(event.event_type(), event_type, "{name}");
        let written = encode(&envelope, &event).unwrap().data;
        assert_eq!(written, data, "{name}: {}", String::from_utf8_lossy(&written));
        types.insert(event_type.to_owned());
    }
    for known in Event::TYPES {
        assert!(types.contains(*known), "{known} has no golden file; run with CX_GOLDEN=write");
    }
}

#[test]
fn the_golden_files_are_those_of_the_canonical_history() {
    let write = std::env::var_os("CX_GOLDEN").is_some();
    for (name, data) in expected() {
        let path = directory().join(&name);
        if write && !path.exists() {
            fs::write(&path, [&data[..], b"\n"].concat()).unwrap();
        }
        assert!(path.exists(), "{name} is missing; run with CX_GOLDEN=write");
    }
}

#[test]
fn metadata_reads_back_under_the_names_of_the_official_clients() {
    let metadata = br#"{"$correlationId":"00000000-0000-0000-0000-000000000005","$causationId":"00000000-0000-0000-0000-000000000006"}"#;
    let data = fs::read(directory().join("CaseClosed.v1.json")).unwrap();
    let (envelope, event) = decode("CaseClosed", &data, metadata).unwrap();
    assert_eq!(envelope.correlation.unwrap().as_u128(), 5);
    assert_eq!(envelope.causation.unwrap().as_u128(), 6);
    assert_eq!(encode(&envelope, &event).unwrap().metadata, metadata);
    let twice = decode("CaseClosed", &data, br#"{"$correlationId":7}"#);
    assert!(twice.is_err());
}
