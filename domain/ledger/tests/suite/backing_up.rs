//! Backup beside a writer, restore, and repair.

use cx_ledger::embedded::{repair, restore};
use cx_ledger::seeded::Seeded;
use cx_ledger::{EmbeddedLog, OpenError};

use crate::workload::{Sent, new_appends, read_everything, small};

#[test]
fn a_backup_made_while_the_log_is_written_restores_to_the_same_history() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (log, _) = EmbeddedLog::open(&at("log"), small()).unwrap();
    let (mut sent, mut random) = (Sent::default(), Seeded::new(21));
    sent.send(&log, &mut random, 60);
    let by_reader = {
        let (reader, _) = EmbeddedLog::open_read_only(&at("log")).unwrap();
        reader.backup_to(&at("by-reader")).unwrap()
    };
    let by_writer = log.backup_to(&at("by-writer")).unwrap();
    assert_eq!((by_writer.head, by_writer.digest), log.head_digest());
    assert!(by_reader.head <= by_writer.head);
    sent.send(&log, &mut random, 5);
    let written = read_everything(&log).unwrap();
    for (name, verified) in [("by-reader", by_reader), ("by-writer", by_writer)] {
        let to = at(&format!("{name}-restored"));
        let restored = restore(&at(name), &to).unwrap();
        assert_eq!((restored.head, restored.digest), (verified.head, verified.digest));
        let (copy, report) = EmbeddedLog::open(&to, small()).unwrap();
        assert!(report.was_clean, "{report:?}");
        let events = read_everything(&copy).unwrap();
        assert_eq!(events, written[..verified.head.commit() as usize]);
        copy.append_many_blocking(new_appends(&mut random)).unwrap();
    }
    assert!(restore(&at("by-writer"), &at("log")).is_err(), "a log is never overwritten");
}

#[test]
fn a_damaged_log_is_cut_back_to_the_whole_appends_before_the_damage() {
    for (segment, place) in [(1, 2000), (2, 3000), (2, 20), (3, 700)] {
        let directory = tempfile::tempdir().unwrap();
        let (log, _) = EmbeddedLog::open(directory.path(), small()).unwrap();
        let (mut sent, mut random) = (Sent::default(), Seeded::new(22));
        sent.send(&log, &mut random, 40);
        let events = read_everything(&log).unwrap();
        drop(log);
        assert_eq!(repair(directory.path(), true).unwrap(), None, "nothing to repair");
        let path = directory.path().join(format!("{segment:08}.log"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[place] ^= 4;
        std::fs::write(&path, &bytes).unwrap();
        let planned = repair(directory.path(), false).unwrap().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "asking changes nothing");
        let cut = repair(directory.path(), true).unwrap().unwrap();
        assert_eq!((cut.kept, &cut.path), (planned.kept, &path));
        assert!(cut.offset <= place as u64);
        let (log, _) = EmbeddedLog::open(directory.path(), small()).unwrap();
        assert_eq!(log.head_now(), cut.kept);
        let left = read_everything(&log).unwrap();
        assert_eq!(left, events[..left.len()]);
        assert!(left.len() < events.len());
        assert!(cut.aside.iter().all(|name| directory.path().join(name).exists()));
        log.append_many_blocking(new_appends(&mut random)).unwrap();
        log.verify().unwrap();
    }
    let missing = repair(&tempfile::tempdir().unwrap().path().join("none"), false);
    assert!(matches!(missing, Err(OpenError::Missing { .. })), "{missing:?}");
}
