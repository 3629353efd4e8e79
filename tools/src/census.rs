//! How much there is in a data directory.

use std::path::Path;

use cx_ledger::Direction;
use cx_model::Position;
use jiff::Timestamp;

use crate::open::Opened;

/// What streams of customers are called before the hyphen.
const CUSTOMERS: &str = "customer";

/// How much there is in a ledger.
#[derive(Debug)]
pub struct Census {
    /// The position of the last event.
    pub head: Position,
    /// When it was recorded.
    pub recorded_at: Option<Timestamp>,
    /// Events.
    pub events: u64,
    /// Streams; `None` where the ledger is on an event store, which does not count them.
    pub streams: Option<u64>,
    /// Customers with events; on an event store those with keys.
    pub customers: u64,
}

impl Census {
    /// Of an opened data directory.
    pub async fn of(opened: &Opened) -> anyhow::Result<Self> {
        let ledger = opened.book.ledger();
        let last = ledger.read_all(Position::new(u64::MAX), Direction::Backwards, 1).await?;
        let last = last.first();
        let keys = opened.book.vault().counts();
        let streams = opened.log().ok().map(cx_ledger::EmbeddedLog::streams_by_category);
        Ok(Self {
            head: last.map_or(Position::START, |event| event.position),
            recorded_at: last.map(|event| event.recorded_at),
            events: last.map_or(0, |event| event.ordinal),
            customers: match &streams {
                Some(streams) => streams.get(CUSTOMERS).copied().unwrap_or(0),
                None => keys.live + keys.destroyed,
            },
            streams: streams.map(|streams| streams.values().sum()),
        })
    }
}

/// The bytes of all files in a directory and those below it.
pub fn size_bytes(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => size_bytes(&entry.path()),
        _ => entry.metadata().map_or(0, |file| file.len()),
    };
    entries.flatten().map(size).sum()
}

/// Bytes in units of 2^20, with one digit after the point.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// A count with commas between thousands.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(grouped(count), text);
        }
    }

    #[test]
    fn the_size_of_a_directory_is_that_of_all_files_in_it() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("a/b")).unwrap();
        std::fs::write(directory.path().join("a/one"), [0; 10]).unwrap();
        std::fs::write(directory.path().join("a/b/two"), [0; 5]).unwrap();
        assert_eq!(size_bytes(directory.path()), 15);
        assert_eq!(size_bytes(&directory.path().join("none")), 0);
    }
}
