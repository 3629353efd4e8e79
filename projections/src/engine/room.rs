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

/// The memory that is free on this machine and within the limits of this process; `None` where the
/// system does not say.
fn free_memory() -> Option<u64> {
    let machine = kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")? << 10;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Some(machine.min(left_by_groups(Path::new("/sys/fs/cgroup"), &groups)))
}

/// What the group of this process and those around it leave it, each of which may have a limit.
/// `own` is what `/proc/self/cgroup` says.
fn left_by_groups(all: &Path, own: &str) -> u64 {
    let of = |controller: &str| {
        own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|one| one == controller).then_some(path)
        })
    };
    // The older kind has a tree of its own for memory, the newer one for all, without a name.
    let older = of("memory").map(|path| (path, all.join("memory"), OLDER));
    let newer = of("").map(|path| (path, all.to_owned(), NEWER));
    let Some((path, tree, files)) = older.or(newer) else { return u64::MAX };
    let groups = Path::new(path.trim_start_matches('/')).ancestors();
    groups.filter_map(|group| files.left(&tree.join(group))).min().unwrap_or(u64::MAX)
}

/// Where a group says what it may take and takes.
struct Files {
    most: &'static str,
    now: &'static str,
    /// Of that, files that nobody has looked at for a while: the system gives them up for others.
    given_up: &'static str,
}

const OLDER: Files = Files {
    most: "memory.limit_in_bytes",
    now: "memory.usage_in_bytes",
    given_up: "total_inactive_file ",
};
const NEWER: Files =
    Files { most: "memory.max", now: "memory.current", given_up: "inactive_file " };

impl Files {
    /// What a group leaves; `None` if it has no limit.
    fn left(&self, group: &Path) -> Option<u64> {
        let text = |name| fs::read_to_string(group.join(name)).ok();
        let number = |text: &str| text.trim().parse::<u64>().ok();
        // A group without a limit says `max`, which is no number.
        let (most, now) = (number(&text(self.most)?)?, number(&text(self.now)?)?);
        let stat = text("memory.stat").unwrap_or_default();
        let given_up = stat.lines().find_map(|line| number(line.strip_prefix(self.given_up)?));
        Some(most.saturating_sub(now.saturating_sub(given_up.unwrap_or(0))))
    }
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

    #[test]
    fn every_group_around_the_process_may_have_a_limit() {
        let all = tempfile::tempdir().unwrap();
        let left = |own: &str| left_by_groups(all.path(), own);
        let says = |group: &str, figures: &[(&str, &str)]| {
            fs::create_dir_all(all.path().join(group)).unwrap();
            for (file, text) in figures {
                fs::write(all.path().join(group).join(file), format!("{text}\n")).unwrap();
            }
        };
        let own = "1:name=systemd:/cx\n0::/system.slice/cx.service\n";
        assert_eq!(left(own), u64::MAX);
        says("system.slice/cx.service", &[("memory.max", "max"), ("memory.current", "700")]);
        says("system.slice", &[("memory.max", "1000"), ("memory.current", "750")]);
        assert_eq!(left(own), 250);
        says("system.slice/cx.service", &[("memory.max", "800")]);
        assert_eq!(left(own), 100);
        says("system.slice/cx.service", &[("memory.stat", "anon 300\ninactive_file 400")]);
        assert_eq!(left(own), 250);
        // A container sees its own group as the root.
        assert_eq!(left("0::/\n"), u64::MAX);
        says("memory", &[("memory.limit_in_bytes", "900"), ("memory.usage_in_bytes", "200")]);
        says("memory", &[("memory.stat", "inactive_file 1\ntotal_inactive_file 50")]);
        assert_eq!(left("4:cpu,memory:/cx\n0::/system.slice\n"), 750);
        assert_eq!(left(""), u64::MAX);
    }
}
