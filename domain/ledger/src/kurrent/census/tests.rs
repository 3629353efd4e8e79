use bytes::Bytes;
use uuid::Uuid;

use super::*;

fn event(position: u64, stream: &str, revision: u64) -> RawEvent {
    RawEvent {
        position: Position::from_parts(position, position - 1),
        ordinal: 0,
        stream: StreamName::new(stream).unwrap(),
        revision,
        id: Uuid::from_u128(u128::from(position)),
        event_type: "T".into(),
        recorded_at: Timestamp::from_second(position as i64).unwrap(),
        data: Bytes::new(),
        metadata: Bytes::new(),
    }
}

#[test]
fn events_are_counted_once_and_in_order_whoever_brings_them() {
    let mut census = Census::default();
    let mut before = Position::START;
    for n in 1..=1_000 {
        let event = event(n * 10, &format!("case-{}", n % 7), (n - 1) / 7);
        let revision = if n % 7 == 0 { n / 7 - 1 } else { n / 7 };
        let event = RawEvent { revision, ..event };
        census.take(before, &event).unwrap();
        // Told again by another follower.
        census.take(before, &event).unwrap();
        before = event.position;
    }
    assert_eq!((census.end().ordinal, census.end().position), (1_000, before));
    let mark = census.mark_at(Position::from_parts(5_130, 5_129));
    assert!(mark.ordinal == 512 && mark.position.commit() == 5_120, "{mark:?}");
    let mark = census.mark_as_of(Timestamp::from_second(2_570).unwrap());
    assert_eq!(mark.ordinal, 256);
    assert_eq!(census.mark_as_of(Timestamp::UNIX_EPOCH).ordinal, 0);
}

#[test]
fn a_stream_that_lost_its_beginning_or_a_piece_stops_the_count() {
    for (first, second) in [(1, 2), (0, 2)] {
        let mut census = Census::default();
        let one = event(10, "case-1", first);
        let two = event(20, "case-1", second);
        let counted =
            census.take(Position::START, &one).and_then(|()| census.take(one.position, &two));
        assert!(matches!(counted, Err(ReadError::Truncated { .. })), "{counted:?}");
        assert!(census.whole().is_err() && census.findings.len() == 1);
    }
}

#[test]
fn a_gap_is_seen_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let marks = Marks { path: directory.path().join("marks"), write: true };
    let (mut census, last) = Census::open(&marks);
    assert!(last.is_none());
    let mut before = Position::START;
    for n in 0..BLOCK + 10 {
        let event = event((n + 1) * 10, &format!("case-{}", n % 8), n / 8);
        census.take(before, &event).unwrap();
        before = event.position;
    }
    drop(census);
    for lost in [false, true] {
        let (mut census, last) = Census::open(&marks);
        let (position, id) = last.unwrap();
        assert_eq!((census.end().position, census.end().ordinal), (position, BLOCK));
        assert_eq!(id, Uuid::from_u128(u128::from(position.commit())));
        let next = event(BLOCK * 10 + 10, "case-0", BLOCK / 8 + u64::from(lost));
        assert_eq!(census.take(position, &next).is_err(), lost);
    }
    let (mut census, _) = Census::open(&marks);
    census.forget();
    assert_eq!(census.end().ordinal, 0);
    assert!(Census::open(&marks).1.is_none());
}

/// Counts so many more events of eight streams.
fn count(census: &mut Census, from: u64, events: u64) {
    for n in from..from + events {
        let before = census.end().position;
        census.take(before, &event((n + 1) * 10, &format!("case-{}", n % 8), n / 8)).unwrap();
    }
}

#[test]
fn what_was_found_or_is_gone_is_found_again_by_the_next_process() {
    for gone in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let marks = Marks { path: directory.path().join("marks"), write: true };
        let (mut census, _) = Census::open(&marks);
        count(&mut census, 0, BLOCK);
        drop(census);
        let (mut census, last) = Census::open(&marks);
        assert!(last.is_some());
        if gone {
            assert!(census.check(Position::from_parts(5_120, 5_119), 511).is_err());
        } else {
            census.find("stream case-1 has $maxCount".into());
            count(&mut census, BLOCK, 2 * BLOCK);
        }
        assert_eq!(census.findings.len(), 1);
        let (census, last) = Census::open(&marks);
        assert!(last.is_none() && census.end().ordinal == 0, "everything is read again");
    }
}

#[test]
fn a_reader_whose_number_is_not_the_counted_one_is_stopped() {
    let mut whole = Census::default();
    count(&mut whole, 0, 1_000);
    let at = |n: u64| Position::from_parts(n * 10, n * 10 - 1);
    for n in 1..=1_100 {
        whole.check(at(n), n).unwrap();
    }
    // One event before a mark, at it, after it, at the end and beyond it.
    for (n, number) in [(256, 255), (257, 256), (513, 510), (1_000, 999), (1_001, 1_000)] {
        let mut census = Census::default();
        count(&mut census, 0, 1_000);
        let checked = census.check(at(n), number);
        assert!(matches!(checked, Err(ReadError::Truncated { .. })), "{n}: {checked:?}");
        assert!(census.whole().is_err(), "and nothing is numbered after that");
    }
    // More of them than were counted: another ledger.
    assert!(whole.check(at(255), 256).is_err());
}
