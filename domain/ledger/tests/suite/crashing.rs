//! The storage fails, the power goes, the disk is full: what was acknowledged is there afterwards.

use std::sync::Arc;

use cx_ledger::seeded::Seeded;
use cx_ledger::storage::{Faults, FaultyDisk};
use cx_ledger::{AppendError, EmbeddedLog, Health, OpenError, Options};
use cx_model::Position;

use crate::workload::{Sent, new_appends, read_everything, small};

fn open(disk: &FaultyDisk) -> Result<EmbeddedLog, OpenError> {
    EmbeddedLog::open_storage(Arc::new(disk.clone()), small()).map(|(log, _)| log)
}

/// Opens what is left, judges it, goes on writing, and judges again.
fn judge_left(left: &FaultyDisk, sent: &Sent, context: &str) {
    let log = open(left).unwrap_or_else(|error| panic!("{context}: {error}"));
    let events = read_everything(&log).unwrap();
    sent.judge(&events, context);
    let mut random = Seeded::new(!(events.len() as u64));
    let more = new_appends(&mut random);
    let count: usize = more.iter().map(|append| append.events.len()).sum();
    log.append_many_blocking(more).unwrap();
    let mut again = read_everything(&log).unwrap();
    assert_eq!(again.len(), events.len() + count, "{context}");
    again.truncate(events.len());
    assert_eq!(again, events, "{context}");
    log.verify().unwrap();
}

/// The workload with the failure at one call; false once the call is behind the workload's end.
fn fail_at(call: u64, and_stay_down: bool, seed: u64) -> bool {
    let disk = FaultyDisk::new();
    disk.set_faults(Faults { fail_at: Some(call), and_stay_down, capacity: None });
    let mut sent = Sent::default();
    let mut random = Seeded::new(seed);
    let mut reached = true;
    if let Ok(log) = open(&disk) {
        sent.send(&log, &mut random, 30);
        let (failed, head) = (disk.calls() > call, log.head_now());
        if failed && log.health_now() != Health::Writable {
            let answer = log.append_many_blocking(new_appends(&mut random));
            assert!(matches!(answer, Err(AppendError::Poisoned { .. })), "{answer:?}");
            assert_eq!(log.head_now(), head);
        }
        // Reads go on, and show only what is durable.
        let events = read_everything(&log).unwrap();
        sent.judge(&events, "while open");
        drop(log);
        reached = disk.calls() > call;
    }
    let mut cut = Seeded::new(seed ^ call);
    for round in 0..3 {
        let context = format!("seed {seed}, call {call}, down {and_stay_down}, cut {round}");
        judge_left(&disk.after_power_cut(&mut cut), &sent, &context);
    }
    judge_left(&disk.after_kill(), &sent, &format!("seed {seed}, call {call}, kill"));
    reached
}

#[test]
fn a_failure_at_any_call_loses_nothing_acknowledged() {
    for seed in 0..3 {
        for and_stay_down in [true, false] {
            let calls = (0..9999).take_while(|&call| fail_at(call, and_stay_down, seed)).count();
            assert!(calls > 60, "{calls}");
        }
    }
}

/// The power goes while many threads write: runs of many appends tear in every way.
#[test]
fn any_subset_of_unsynced_sectors_may_be_lost_or_torn() {
    for seed in 0..150 {
        let disk = FaultyDisk::new();
        let log = open(&disk).unwrap();
        let mut random = Seeded::new(seed);
        let mut sent = Sent::default();
        sent.send(&log, &mut random, 5);
        // The run that tears: one write, whose sync fails.
        disk.set_faults(Faults { fail_at: Some(1), and_stay_down: true, capacity: None });
        let sets: Vec<_> = (0..12).map(|_| new_appends(&mut random)).collect();
        let answers = log.append_each_blocking(sets.clone());
        sent.sets.extend(sets.into_iter().zip(answers.iter().map(Result::is_ok)));
        for round in 0..4 {
            let left = disk.after_power_cut(&mut random);
            judge_left(&left, &sent, &format!("seed {seed}, cut {round}"));
        }
    }
}

#[test]
fn a_failed_sync_ends_writing_and_not_reading() {
    let disk = FaultyDisk::new();
    let (log, _) = EmbeddedLog::open_storage(Arc::new(disk.clone()), Options::default()).unwrap();
    let (mut sent, mut random) = (Sent::default(), Seeded::new(5));
    sent.send(&log, &mut random, 4);
    let head = log.head_now();
    disk.set_faults(Faults { fail_at: Some(1), ..Faults::default() });
    let answer = log.append_many_blocking(new_appends(&mut random));
    assert!(matches!(answer, Err(AppendError::Poisoned { .. })), "{answer:?}");
    assert!(matches!(log.health_now(), Health::ReadOnly(_)));
    let answer = log.append_many_blocking(new_appends(&mut random));
    assert!(matches!(answer, Err(AppendError::Poisoned { .. })), "no second try: {answer:?}");
    assert_eq!(log.head_now(), head);
    sent.judge(&read_everything(&log).unwrap(), "after the failed sync");
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_room() {
    let disk = FaultyDisk::new();
    let log = open(&disk).unwrap();
    let (mut sent, mut random) = (Sent::default(), Seeded::new(6));
    disk.set_faults(Faults { capacity: Some(60_000), ..Faults::default() });
    let mut refused = 0;
    while refused < 20 {
        let appends = new_appends(&mut random);
        match log.append_many_blocking(appends.clone()) {
            Ok(_) => sent.sets.push((appends, true)),
            Err(AppendError::NoSpace { .. }) => {
                refused += 1;
                sent.sets.push((appends, false));
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(log.health_now(), Health::Writable);
    sent.judge(&read_everything(&log).unwrap(), "while full");
    disk.set_faults(Faults { capacity: Some(200_000), ..Faults::default() });
    let before = sent.sets.len();
    sent.send(&log, &mut random, 40);
    assert!(sent.sets[before..].iter().all(|(_, acknowledged)| *acknowledged));
    sent.judge(&read_everything(&log).unwrap(), "with room again");
    drop(log);
    judge_left(&disk.after_kill(), &sent, "reopened");
}

#[test]
fn one_writer_at_a_time_and_readers_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = EmbeddedLog::open(directory.path(), small()).unwrap();
    let again = EmbeddedLog::open(directory.path(), small());
    assert!(matches!(again, Err(OpenError::Locked { .. })));
    let (mut sent, mut random) = (Sent::default(), Seeded::new(7));
    for _ in 0..40 {
        sent.send(&log, &mut random, 2);
        let (reader, report) = EmbeddedLog::open_read_only(directory.path()).unwrap();
        assert!(report.beside_a_writer);
        assert_eq!(read_everything(&reader).unwrap(), read_everything(&log).unwrap());
        let answer = reader.append_many_blocking(new_appends(&mut random));
        assert!(answer.is_err(), "a reader writes nothing");
    }
    let head = log.head_digest();
    drop(log);
    let (reader, report) = EmbeddedLog::open_read_only(directory.path()).unwrap();
    assert_eq!(reader.head_digest(), head);
    assert!(report.was_clean && !report.beside_a_writer);
    let missing = EmbeddedLog::open_read_only(&directory.path().join("none"));
    assert!(matches!(missing, Err(OpenError::Missing { .. })));
}

#[test]
fn threads_that_append_at_once_are_all_heard_and_none_twice() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = EmbeddedLog::open(directory.path(), small()).unwrap();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|seed| {
                let log = log.clone();
                scope.spawn(move || {
                    let mut random = Seeded::new(1000 + seed);
                    (0..40)
                        .map(|_| {
                            let set = new_appends(&mut random);
                            (log.append_many_blocking(set.clone()).unwrap(), set)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    drop(log);
    let (log, report) = EmbeddedLog::open(directory.path(), small()).unwrap();
    assert!(report.was_clean && report.torn_bytes == 0 && report.indexes_rebuilt == 0);
    let events = read_everything(&log).unwrap();
    let count: usize = answers.iter().flat_map(|(_, set)| set).map(|a| a.events.len()).sum();
    assert_eq!(events.len(), count);
    for (answer, set) in answers {
        for (answer, append) in answer.iter().zip(&set) {
            let last = &events[answer.position.commit() as usize - 1];
            assert_eq!(last.id, append.events.last().unwrap().id);
            assert_eq!(Some(last.revision), answer.revision);
            let again = log.append_blocking(append.clone()).unwrap();
            assert_eq!((again.position, again.repeated), (answer.position, true));
        }
    }
    assert_eq!(log.head_now(), Position::new(count as u64));
    log.verify().unwrap();
}
