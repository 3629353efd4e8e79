//! Every byte flipped, every length cut: a valid prefix and a report, or a refusal that names the
//! file and the place. Never other data, never a panic.

use std::sync::Arc;

use cx_ledger::storage::{FaultyDisk, Storage};
use cx_ledger::{EmbeddedLog, OpenError, ReadError};

use crate::workload::{Sent, filled, read_everything, small};

enum Seen {
    Opened { sets: usize, reported: bool },
    RefusedToOpen,
    RefusedToRead,
}

/// Opens a damaged disk to write and to read, and asserts that nothing wrong is ever shown.
fn look(disk: &FaultyDisk, sent: &Sent, context: &str) -> Seen {
    let reader = EmbeddedLog::open_storage_read_only(Arc::new(disk.clone()));
    match EmbeddedLog::open_storage(Arc::new(disk.clone()), small()) {
        Err(OpenError::Damaged { .. }) => {
            assert!(matches!(reader, Err(OpenError::Damaged { .. })), "{context}: reader opens");
            Seen::RefusedToOpen
        }
        Err(error) => panic!("{context}: {error}"),
        Ok((log, report)) => match read_everything(&log) {
            Ok(events) => {
                let sets = sent.judge(&events, context);
                let reported = report.torn_bytes > 0 || report.indexes_rebuilt > 0;
                let (reader, _) = reader.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(read_everything(&reader).unwrap(), events, "{context}");
                Seen::Opened { sets, reported }
            }
            Err(ReadError::Damaged { .. }) => {
                assert!(log.verify().is_err(), "{context}");
                Seen::RefusedToRead
            }
            Err(error) => panic!("{context}: {error}"),
        },
    }
}

/// The same, where nothing may be missing for lack of an acknowledgement.
fn forget_acknowledgements(mut sent: Sent) -> Sent {
    for set in &mut sent.sets {
        set.1 = false;
    }
    sent
}

fn files(disk: &FaultyDisk) -> Vec<String> {
    disk.list().unwrap().into_iter().filter(|name| name != "lock").collect()
}

#[test]
fn every_byte_of_a_small_log_may_flip() {
    let (disk, sent) = filled(11, 9);
    let names = files(&disk);
    assert!(names.contains(&"00000002.log".to_owned()), "{names:?}");
    assert!(names.contains(&"00000001.index".to_owned()), "{names:?}");
    let total = sent.sets.len();
    let (mut opened, mut refused) = (0, 0);
    for name in &names {
        let bytes = disk.contents(name).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let damaged = disk.after_kill();
            damaged.put(name, flipped);
            match look(&damaged, &sent, &format!("{name} flipped at {at}")) {
                Seen::Opened { sets, reported } => {
                    assert_eq!(sets, total, "{name} flipped at {at}: the log was closed in order");
                    // Nothing is ever read behind the end of a sealed segment.
                    let is_slack = name == "00000001.log" && bytes[at..].iter().all(|&b| b == 0);
                    assert!(reported || is_slack, "{name} flipped at {at}: not a word");
                    opened += 1;
                }
                Seen::RefusedToOpen | Seen::RefusedToRead => refused += 1,
            }
        }
    }
    assert!(opened > 1000 && refused > 1000, "{opened} opened, {refused} refused");
}

#[test]
fn every_length_of_the_last_segment_may_be_cut() {
    let (disk, sent) = filled(12, 9);
    let name = files(&disk).into_iter().rfind(|name| name.ends_with(".log")).unwrap();
    let used = files(&disk).into_iter().filter(|name| name.ends_with(".index")).count() + 1;
    for name in [name, format!("{used:08}.log")] {
        let bytes = disk.contents(&name).unwrap();
        for length in 0..bytes.len() {
            let damaged = disk.after_kill();
            damaged.put(&name, bytes[..length].to_vec());
            match look(&damaged, &sent, &format!("{name} cut to {length}")) {
                Seen::Opened { sets, .. } => assert_eq!(sets, sent.sets.len()),
                Seen::RefusedToOpen => {}
                Seen::RefusedToRead => panic!("{name} cut to {length}: opened and not readable"),
            }
        }
    }
}

/// The run of a killed process has no mark behind it: its last frames may be cut back, with a
/// report, and nothing else may be.
#[test]
fn every_byte_may_flip_after_a_kill_too() {
    let disk = FaultyDisk::new();
    let (log, _) = EmbeddedLog::open_storage(Arc::new(disk.clone()), small()).unwrap();
    let mut sent = Sent::default();
    sent.send(&log, &mut cx_ledger::seeded::Seeded::new(13), 6);
    let killed = disk.after_kill();
    drop(log);
    let sent = forget_acknowledgements(sent);
    let total = sent.sets.len();
    for name in files(&killed) {
        let bytes = killed.contents(&name).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x80 >> (at % 8);
            let damaged = killed.after_kill();
            damaged.put(&name, flipped);
            if let Seen::Opened { sets, reported } = look(&damaged, &sent, &format!("{name} {at}"))
            {
                assert!(sets + 1 >= total, "{name} {at}: only the last run may be cut back");
                assert!(reported, "{name} {at}: not a word");
            }
        }
    }
}

#[test]
fn missing_files_are_noticed_or_made_again() {
    let (disk, sent) = filled(14, 40);
    let names = files(&disk);
    let last_index = names.iter().rfind(|name| name.ends_with(".index")).unwrap().clone();
    let used: u32 = last_index[..8].parse::<u32>().unwrap() + 1;
    assert!(used >= 4, "{names:?}");
    for name in names {
        let damaged = disk.after_kill();
        damaged.remove(&name).unwrap();
        let unused = name.ends_with(".log") && name[..8].parse::<u32>().unwrap() > used;
        match look(&damaged, &sent, &name) {
            Seen::Opened { reported, .. } => {
                assert_eq!(reported, name.ends_with(".index"), "{name}");
                assert!(name.ends_with(".index") || unused, "{name}");
            }
            Seen::RefusedToOpen => assert!(name.ends_with(".log") && !unused, "{name}"),
            Seen::RefusedToRead => panic!("{name}"),
        }
    }
}
