//! What the house rules say about files, checked as ordinary tests.

use std::fs;
use std::path::{Path, PathBuf};

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").into()
}

/// Every Rust file of the workspace's crates.
fn sources(under: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![under.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !["target", ".git", "node_modules"].iter().any(|skip| path.ends_with(skip)) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The names of the crates a manifest depends on, outside its dev-dependencies.
fn dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = fs::read_to_string(root().join(manifest)).unwrap().parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn nothing_points_against_the_flow_of_the_data() {
    let rooms = ["cx-model", "cx-ledger", "cx-projections", "cx-api", "cxledger"];
    let manifests = ["domain/model", "domain/ledger", "projections", "api", "tools"];
    for (place, folder) in manifests.iter().enumerate() {
        let depends = dependencies(&format!("{folder}/Cargo.toml"));
        for later in &rooms[place..] {
            assert!(!depends.iter().any(|name| name == later), "{folder} depends on {later}");
        }
    }
}

#[test]
fn each_room_uses_only_what_it_may() {
    let forbidden: &[(&str, &[&str])] = &[
        ("domain/model", &["tokio", "sled", "axum", "rand", "getrandom", "reqwest"]),
        ("domain/ledger", &["sled", "async-graphql", "axum", "anyhow"]),
        ("projections", &["axum", "rand", "getrandom", "anyhow"]),
        ("api", &["sled", "anyhow"]),
        ("tools", &["sled"]),
    ];
    for (folder, names) in forbidden {
        let depends = dependencies(&format!("{folder}/Cargo.toml"));
        for name in *names {
            assert!(!depends.iter().any(|depend| depend == name), "{folder} may not use {name}");
        }
    }
}

#[test]
fn no_module_hides_in_a_mod_rs_or_a_drawer() {
    let drawers =
        ["mod.rs", "utils.rs", "common.rs", "helpers.rs", "manager.rs", "service.rs", "impl.rs"];
    for path in sources(&root()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!drawers.contains(&name), "{} needs a name that says its subject", path.display());
    }
}

#[test]
fn no_fold_looks_at_a_clock_or_rolls_dice() {
    let views = root().join("projections/src/views");
    for path in sources(&views) {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["::now()", "new_v4", "HashMap", "thread", "std::fs", "std::env", "async fn"] {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn no_test_is_ignored_or_sleeps_to_wait() {
    let marks =
        [concat!("#[", "ignore"), concat!("thread::", "sleep("), concat!("time::", "sleep(")];
    for path in sources(&root()) {
        let text = fs::read_to_string(&path).unwrap();
        // A sleep outside tests is a back-off or a pause of a tool, and says so beside it.
        let tests = if path.starts_with(root().join("tests"))
            || path.to_string_lossy().contains("/tests/")
        {
            text.as_str()
        } else {
            text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests)
        };
        for mark in marks {
            assert!(!tests.contains(mark), "{} has {mark} in a test", path.display());
        }
    }
}

#[test]
fn every_view_is_one_line_in_the_list() {
    let list = fs::read_to_string(root().join("projections/src/list.rs")).unwrap();
    let views = root().join("projections/src/views");
    // What lies deeper belongs to the view whose name its folder has.
    for path in sources(&views).iter().filter(|path| path.parent() == Some(&views)) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(list.contains(name), "{} is not in projections/src/list.rs", path.display());
    }
}
