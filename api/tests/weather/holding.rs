//! What this process holds.

/// Memory that may come and go between two looks, in KiB.
const SWING: u64 = 48 << 10;
/// Threads and files that may: connections are being built and ended at any moment.
const FEW: u64 = 24;

/// What is held at a moment: KiB of memory, threads and open files.
#[derive(Debug)]
pub struct Holding {
    memory: u64,
    threads: u64,
    files: u64,
}

impl Holding {
    /// What is held now; nothing where the system does not tell.
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        let files = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
        Self { memory: number("VmRSS:"), threads: number("Threads:"), files }
    }

    /// Nothing was left behind since.
    pub fn assert_no_more_than(&self, before: &Self) {
        println!("held {before:?} before, {self:?} now");
        assert!(self.memory <= before.memory + SWING, "memory: {self:?} after {before:?}");
        assert!(self.threads <= before.threads + FEW, "threads: {self:?} after {before:?}");
        assert!(self.files <= before.files + FEW, "files: {self:?} after {before:?}");
    }
}
