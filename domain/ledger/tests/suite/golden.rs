//! A log of format version 1, written once and kept: it opens for ever, to the same history.
//!
//! `CX_WRITE_GOLDEN=1 cargo test -p cx-ledger golden` writes the files of a version that has none.

use std::path::{Path, PathBuf};

use cx_ledger::{Append, Clock, EmbeddedLog, Expected, Options, RawNewEvent};
use cx_model::StreamName;
use uuid::Uuid;

use crate::workload::read_everything;

const NAMES: [&str; 4] = ["customer-", "case-", "customer-", "plain name "];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log-v1")
}

fn options() -> Options {
    let clock = Clock::new(|| jiff::Timestamp::from_microsecond(1_700_000_000_123_456).unwrap());
    Options { segment_bytes: 4096, first_segment_bytes: 4096, clock }
}

fn append(n: u128) -> Append {
    let stream = format!("{}{}", NAMES[n as usize % 4], Uuid::from_u128(n % 3));
    let event = |index: u128| RawNewEvent {
        id: Uuid::from_u128(n * 10 + index + 1),
        event_type: format!("Type{}", n % 3).into(),
        data: format!(r#"{{"n":{n},"text":"{}"}}"#, "ä".repeat(n as usize * 7)).into(),
        metadata: if n.is_multiple_of(2) { "".into() } else { "{}".into() },
    };
    let events = (0..=n % 3).map(event).collect();
    Append { stream: StreamName::new(stream).unwrap(), expected: Expected::Any, events }
}

fn write(directory: &Path) {
    let (log, _) = EmbeddedLog::open(directory, options()).unwrap();
    for n in 0..20 {
        log.append_blocking(append(n)).unwrap();
    }
    log.append_many_blocking((20..23).map(append).collect()).unwrap();
}

#[test]
fn a_log_of_version_1_opens_to_the_same_history() {
    if std::env::var_os("CX_WRITE_GOLDEN").is_some() && !golden().exists() {
        write(&golden());
        std::fs::remove_file(golden().join("lock")).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
    }
    let (log, report) = EmbeddedLog::open(directory.path(), options()).unwrap();
    assert!(report.was_clean && report.segments > 1 && report.indexes_rebuilt == 0, "{report:?}");
    let verified = log.verify().unwrap();
    assert_eq!((verified.head, verified.digest), log.head_digest());
    let kept = std::fs::read_to_string(golden().with_extension("digest")).unwrap_or_default();
    assert_eq!(verified.digest_text(), kept.trim(), "the digest of the kept log");
    let events = read_everything(&log).unwrap();
    let wanted: Vec<_> = (0..23)
        .map(append)
        .flat_map(|append| append.events.into_iter().map(move |e| (append.stream.clone(), e)))
        .collect();
    assert_eq!(events.len(), wanted.len());
    for (event, (stream, wanted)) in events.iter().zip(wanted) {
        assert_eq!((&event.stream, event.id), (&stream, wanted.id));
        assert_eq!((&event.data, &event.metadata), (&wanted.data, &wanted.metadata));
        assert_eq!(event.event_type, wanted.event_type);
        assert_eq!(event.recorded_at.as_microsecond(), 1_700_000_000_123_456);
    }
}
