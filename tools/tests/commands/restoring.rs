//! A ledger that was restored from a backup, beside keys that are younger.

use std::path::Path;

use tempfile::TempDir;

use super::{ADA, BOB, bytes, json, printed, quarantined, refused, rows, run};

fn copy_directory(from: &str, to: &str) {
    std::fs::create_dir_all(to).unwrap();
    for path in bytes(Path::new(from)).keys() {
        std::fs::copy(path, Path::new(to).join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_backup_holds_the_quarantine_sealed_and_an_erasure_holds_for_it_after_a_restore() {
    let directory = TempDir::new().unwrap();
    let data = quarantined(directory.path());
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (backup, restored) = (path("backup"), path("restored"));
    let made = json(&["backup", &backup, "--data", &data, "--json"]);
    assert_eq!(made["quarantineFiles"], 1, "{made}");
    for (file, bytes) in bytes(Path::new(&backup)) {
        let seen = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!seen(b"remember me"), "{} holds it in the clear", file.display());
    }
    let erased = printed(&["erase", ADA, "--yes", "--data", &data]);
    assert!(erased.contains("1 row of erased customers"), "{erased}");
    assert_eq!(rows(&data).len(), 1, "the row of the erased customer is gone");
    // The backup is older than the erasure and still has both rows; the keys know of it.
    printed(&["restore", &backup, "--data", &restored]);
    copy_directory(&format!("{data}/keys"), &format!("{restored}/keys"));
    let said = run(&["quarantine", "retake", "--data", &restored]);
    assert!(said.err.contains("1 row dropped from the quarantine"), "{}", said.err);
    let left = rows(&restored);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].to_string().contains(BOB) && !left[0].to_string().contains(ADA), "{left:?}");
    let again = refused(&["restore", &backup, "--data", &restored]);
    assert!(again.contains("nothing was restored"), "{again}");
    let nowhere = refused(&["restore", &path("nowhere"), "--data", &path("new")]);
    assert!(nowhere.contains("there is no backup in"), "{nowhere}");
}

#[test]
fn who_was_erased_after_the_backup_is_erased_in_the_restored_ledger_too() {
    let directory = TempDir::new().unwrap();
    let data = quarantined(directory.path());
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (backup, restored) = (path("backup"), path("restored"));
    printed(&["backup", &backup, "--data", &data]);
    // After the backup somebody becomes known and is erased, whom it does not have.
    let late = "customer-00000000-0000-4000-8000-00000000000c";
    let event = serde_json::json!({
        "specversion": "1.0", "id": "9", "source": "crm", "type": "cx.InteractionRecorded",
        "subject": late, "time": "2026-01-31T12:00:00Z",
        "data": { "kind": "call", "channel": "phone", "text": "remember me" },
    });
    let file = path("late.ndjson");
    std::fs::write(&file, format!("{event}\n")).unwrap();
    printed(&["import", &file, "--mapping", "cloudevents", "--data", &data]);
    let known = |data: &str| {
        let replayed = |who: &str| json(&["replay", who, "--data", data, "--json"]);
        [ADA, BOB].map(|who| replayed(who)["views"]["customer"]["erased"].clone())
    };
    for customer in [ADA, late] {
        printed(&["erase", customer, "--yes", "--data", &data]);
    }
    printed(&["restore", &backup, "--data", &restored]);
    copy_directory(&format!("{data}/keys"), &format!("{restored}/keys"));
    let types = || -> Vec<String> {
        let replayed = json(&["replay", ADA, "--data", &restored, "--json"]);
        let events = replayed["events"].as_array().unwrap().iter();
        events.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    let start = || run(&["quarantine", "retake", "--data", &restored]).err;
    let said = start();
    assert!(said.contains("1 erasure that the ledger did not know told to it"), "{said}");
    let told = ["InteractionRecorded", "ErasureRequested", "SubjectErased"];
    assert_eq!(types(), told);
    assert_eq!(known(&restored), [true, false]);
    let nobody = refused(&["replay", late, "--data", &restored]);
    assert!(nobody.contains("has nothing of"), "{nobody}");
    let verdict = json(&["verify", "--data", &restored, "--json"]);
    let views = verdict["views"].as_array().unwrap();
    assert!(views.iter().all(|view| view["agrees"] == true), "{verdict}");
    // Restored once more onto what is there already, it adds nothing.
    std::fs::write(format!("{restored}/restored"), "erasures are to be repeated\n").unwrap();
    let said = start();
    assert!(said.contains("0 erasures that the ledger did not know"), "{said}");
    assert_eq!(types(), told);
}
