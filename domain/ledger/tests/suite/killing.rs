//! A child is killed again and again.

use std::path::Path;
use std::process::Command;

use cx_ledger::torture;

const DIRECTORY: &str = "CX_TORTURE_DIRECTORY";
const ROUND: &str = "CX_TORTURE_ROUND";

/// The child's part, when this binary is started again by the test below; else nothing.
#[test]
fn the_child_that_is_killed() {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        let round = std::env::var(ROUND).unwrap().parse().unwrap();
        torture::child(Path::new(&directory), round).unwrap();
    }
}

#[test]
fn two_hundred_kills_lose_nothing_and_tear_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let start = |folder: &Path, round: u64| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["killing::the_child_that_is_killed", "--exact", "--nocapture"])
            .env(DIRECTORY, folder)
            .env(ROUND, round.to_string());
        command
    };
    let tally = torture::run(directory.path(), 200, 4, start).unwrap();
    assert!(tally.is_clean(), "{tally:?}");
    assert!(tally.kills == 200 && tally.acknowledged > 2000, "{tally:?}");
}
