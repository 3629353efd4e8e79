//! A data directory whose name was mistyped.

use tempfile::TempDir;

use super::{ADA, refused};

#[test]
fn a_command_on_a_directory_without_a_ledger_says_so_and_makes_none() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (data, backup) = (path("no-such-data"), path("backup"));
    let commands: &[&[&str]] = &[
        &["status"],
        &["verify"],
        &["warm"],
        &["repair"],
        &["past", "--at", "1"],
        &["replay", ADA],
        &["explain", "customer", ADA],
        &["erase", ADA, "--yes"],
        &["backup", &backup],
        &["quarantine", "list"],
        &["quarantine", "retake"],
        &["quarantine", "drop", "5f0c"],
        &["quarantine", "mend", "5f0c", "--set", "day=29.02.2024"],
    ];
    for command in commands {
        let said = refused(&[command, &["--data", data.as_str()][..]].concat());
        assert!(said.contains("there is no ledger in"), "{command:?}: {said}");
        assert!(said.contains("cxledger import"), "{command:?} does not say what to do: {said}");
        assert_eq!(directory.path().read_dir().unwrap().count(), 0, "{command:?} made something");
    }
}
