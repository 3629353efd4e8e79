//! How much memory changed rows may take while history is folded.
//!
//! What costs when a long history is folded is how often a row goes to the disk and comes back, and
//! so how many rows wait together. A longer history has more rows, and gets more room, as far as
//! the machine has it to spare.

use std::fs;
use std::path::Path;

/// What any history gets.
const LEAST: u64 = 96 << 20;
/// What a history gets for each of its events: a million events get a little less than the least.
const PER_EVENT: u64 = 96;
/// One part in so many of the memory that is free may be taken.
const SHARE: u64 = 8;

/// The bytes that changed rows of all views together may take while so many events are folded.
pub(super) fn overlay_bytes(events: u64) -> usize {
    of_history(events, free_memory())
}

fn of_history(events: u64, free: Option<u64>) -> usize {
    let most = free.map_or(LEAST, |free| free / SHARE);
    events.saturating_mul(PER_EVENT).min(most).max(LEAST) as usize
}

/// The memory that is free on this machine and within the limit of this process's group; `None`
/// where the system does not say.
fn free_memory() -> Option<u64> {
    let machine = kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")? << 10;
    let group = Path::new("/sys/fs/cgroup");
    let number = |name| fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
    // A group without a limit says `max`, which is no number.
    let group = number("memory.max").zip(number("memory.current"));
    let of_group = group.map_or(u64::MAX, |(most, now)| most.saturating_sub(now));
    Some(machine.min(of_group))
}

/// A figure of `/proc/meminfo`, such as `MemAvailable:   23981200 kB`.
fn kibibytes(meminfo: &str, figure: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_history_gets_more_room_as_far_as_there_is_some() {
        let (little, much) = (Some(1 << 30), Some(24 << 30));
        assert_eq!(of_history(1_000_000, much), 96 << 20);
        assert_eq!(of_history(5_000_000, much), 480_000_000);
        assert_eq!(of_history(5_000_000, little), 128 << 20);
        assert_eq!(of_history(u64::MAX, much), 3 << 30);
        assert_eq!(of_history(u64::MAX, None), 96 << 20);
    }

    #[test]
    fn what_is_free_is_read_as_the_system_writes_it() {
        let meminfo = "MemTotal:       24683748 kB\nMemAvailable:   24022780 kB\n";
        assert_eq!(kibibytes(meminfo, "MemAvailable"), Some(24_022_780));
        assert_eq!(kibibytes(meminfo, "Mem"), None);
        assert_eq!(kibibytes("", "MemAvailable"), None);
    }
}
