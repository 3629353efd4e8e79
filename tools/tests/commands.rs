//! The commands as somebody meets them at a shell: what they print, what they refuse, and that a
//! refusal writes nothing.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "commands/mistyped.rs"]
mod mistyped;
#[path = "commands/restoring.rs"]
mod restoring;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// What a command printed and whether it succeeded.
struct Said {
    good: bool,
    out: String,
    err: String,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxledger"));
    command.args(arguments).env("RUST_BACKTRACE", "0");
    for name in ["CXLEDGER_DATA", "CXLEDGER_LEDGER", "CXLEDGER_LISTEN", "CXLEDGER_TOKENS"] {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Said {
    let done = command(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { good: done.status.success(), out: text(done.stdout), err: text(done.stderr) }
}

/// What a command prints that succeeds.
fn printed(arguments: &[&str]) -> String {
    let said = run(arguments);
    assert!(said.good, "{arguments:?}: {}", said.err);
    said.out
}

/// What a command says that is refused.
fn refused(arguments: &[&str]) -> String {
    let said = run(arguments);
    assert!(!said.good, "{arguments:?} was not refused: {}", said.out);
    said.err
}

fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&printed(arguments)).unwrap()
}

/// A server that ends with the test.
struct Server {
    child: Child,
    said: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server, and waits until it has printed a line with this in it.
fn serve(arguments: &[&str], until: &str) -> Server {
    let mut command = command(arguments);
    command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Server { child: command.spawn().unwrap(), said: String::new() };
    let out = server.child.stdout.take().unwrap();
    for line in BufReader::new(out).lines() {
        let line = line.unwrap();
        server.said.push_str(&line);
        server.said.push('\n');
        if line.contains(until) {
            return server;
        }
    }
    panic!("{arguments:?} ended before it said {until}: {}", server.said);
}

fn demo(data: &str, arguments: &[&str]) -> Server {
    serve(&[&["demo", "--data", data], arguments].concat(), "the next run goes on")
}

/// A demo's data directory that no test writes to, and its first customer.
fn a_years_data() -> &'static (TempDir, String, String) {
    static DATA: OnceLock<(TempDir, String, String)> = OnceLock::new();
    DATA.get_or_init(|| {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data").to_str().unwrap().to_owned();
        let said = demo(&data, &["--customers", "12"]).said.clone();
        let place = said.find("customer-").unwrap();
        let customer = said[place..place + "customer-".len() + 36].to_owned();
        (directory, data, customer)
    })
}

/// Every file of a directory with its bytes.
fn bytes(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes(&path));
        } else {
            all.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    all
}

#[test]
fn another_demo_on_a_demos_data_is_refused_and_nothing_is_written() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data").to_str().unwrap().to_owned();
    let first = demo(&data, &["--customers", "8", "--seed", "3"]);
    assert!(first.said.contains("events of 8 customers"), "{}", first.said);
    assert!(first.said.contains("/#customer-"), "the page opens on a customer: {}", first.said);
    drop(first);
    let before = bytes(directory.path());
    let listen = ["--listen", "127.0.0.1:0"];
    for other in [["--customers", "9"], ["--seed", "4"]] {
        let said = refused(&[&["demo", "--data", &data], &other[..], &listen[..]].concat());
        assert!(said.contains("demo --customers 8 --seed 3"), "{said}");
        assert!(said.contains("--data"), "{said}");
    }
    assert_eq!(bytes(directory.path()), before);
    let again = demo(&data, &[]);
    assert!(again.said.contains("already"), "{}", again.said);
    assert!(again.said.contains("events of 8 customers"), "{}", again.said);
}

#[test]
fn a_demo_is_not_told_into_a_ledger_of_others() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data").to_str().unwrap().to_owned();
    let file = directory.path().join("purchases.txt");
    std::fs::write(&file, "customer_id date number_of_cds dollar_value\n00004 19970101 2 29.33\n")
        .unwrap();
    printed(&["import", file.to_str().unwrap(), "--mapping", "purchases", "--data", &data]);
    let before = bytes(directory.path());
    let said = refused(&["demo", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert!(said.contains("no demo made") && said.contains("--data"), "{said}");
    assert_eq!(bytes(directory.path()), before);
}

#[test]
fn an_address_that_is_taken_is_said_before_anything_is_written() {
    let directory = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = directory.path().join("data");
    for command in ["demo", "serve"] {
        let said = refused(&[command, "--data", data.to_str().unwrap(), "--listen", &address]);
        assert!(said.contains(&address) && said.contains("--listen 127.0.0.1:0"), "{said}");
        assert!(!data.exists(), "{command} wrote something");
    }
}

#[test]
fn a_server_on_the_same_directory_is_named() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data").to_str().unwrap().to_owned();
    let server = serve(&["serve", "--data", &data], "serves");
    let place = server.said.find("127.0.0.1:").unwrap();
    let address = server.said[place..].split_whitespace().next().unwrap().to_owned();
    let said = refused(&["serve", "--data", &data, "--listen", &address]);
    assert!(said.contains("is served at") && said.contains(&address), "{said}");
}

#[test]
fn what_lies_beyond_the_ledgers_end_is_refused_by_replay_and_past() {
    let (_, data, customer) = a_years_data();
    for beyond in ["99999999", "99999999999999999999999", "2999-12-31T00:00:00Z"] {
        for command in [
            vec!["replay", customer, "--as-of", beyond, "--data", data],
            vec!["past", "--at", beyond, "--data", data],
        ] {
            let said = refused(&command);
            assert!(said.contains("beyond the ledger's end"), "{said}");
            assert!(said.contains("last event is at position"), "{said}");
        }
    }
}

#[test]
fn past_names_the_directory_in_what_it_prints_and_in_its_hints() {
    let (_, data, _) = a_years_data();
    let kept = printed(&["past", "--at", "100", "--data", data]);
    assert!(kept.starts_with(&format!("{data}: ")), "{kept}");
    assert!(kept.contains(&format!("cxledger serve --data {data}")), "{kept}");
    let listed = printed(&["past", "--data", data]);
    assert!(listed.contains("position 100") && listed.contains(data.as_str()), "{listed}");
    let listed = json(&["past", "--data", data, "--json"]);
    assert_eq!(listed["kept"][0], "100");
}

#[test]
fn status_counts_what_there_is_for_people_and_for_scripts() {
    let (_, data, _) = a_years_data();
    let status = json(&["status", "--data", data, "--json"]);
    let count = |name: &str| status[name].as_u64().unwrap_or_else(|| panic!("{name}: {status}"));
    assert_eq!(count("customers"), 12);
    assert!(count("streams") > 12 && count("events") > 100);
    assert_eq!(count("quarantinedRows"), 0);
    let parts = ["ledgerBytes", "keysBytes", "viewsBytes", "pastBytes", "quarantineBytes"];
    assert_eq!(parts.map(count).iter().sum::<u64>(), count("bytesOnDisk"));
    let printed = printed(&["status", "--data", data]);
    let ends: Vec<usize> = printed
        .lines()
        .filter(|line| ["events", "streams", "customers"].iter().any(|name| line.starts_with(name)))
        .map(str::len)
        .collect();
    assert!(ends.len() == 3 && ends.iter().all(|end| *end == ends[0]), "{printed}");
}

const ADA: &str = "customer-00000000-0000-4000-8000-00000000000a";
const BOB: &str = "customer-00000000-0000-4000-8000-00000000000b";

/// A data directory with an interaction of two customers each, and a row of each in the quarantine.
fn quarantined(directory: &Path) -> String {
    let line = |id: &str, who: &str, channel: &str| {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"crm\",\
             \"type\":\"cx.InteractionRecorded\",\"subject\":\"{who}\",\
             \"time\":\"2026-01-31T12:00:00Z\",\"data\":{{\"kind\":\"call\",\
             \"channel\":\"{channel}\",\"text\":\"remember me\"}}}}\n"
        )
    };
    let file = directory.join("events.ndjson");
    let lines = [
        line("1", ADA, "phone"),
        line("2", BOB, "phone"),
        line("3", ADA, "pigeon"),
        line("4", BOB, "pigeon"),
    ];
    std::fs::write(&file, lines.concat()).unwrap();
    let data = directory.join("data").to_str().unwrap().to_owned();
    let file = file.to_str().unwrap();
    let taken = json(&["import", file, "--mapping", "cloudevents", "--data", &data, "--json"]);
    assert_eq!((&taken[0]["taken"], &taken[0]["quarantined"]), (&2.into(), &2.into()), "{taken}");
    data
}

fn rows(data: &str) -> Vec<serde_json::Value> {
    let rows = json(&["quarantine", "list", "--data", data, "--json"]);
    rows.as_array().unwrap().clone()
}

#[test]
fn mending_and_taking_again_say_what_happened_and_what_is_next() {
    let directory = TempDir::new().unwrap();
    let data = quarantined(directory.path());
    let option = format!(" --data {data}");
    let listed = printed(&["quarantine", "list", "--data", &data]);
    assert!(listed.contains(&format!("cxledger quarantine retake{option}")), "{listed}");
    let id = rows(&data)[0]["id"].as_str().unwrap()[..8].to_owned();
    let mend = |value: &str| {
        let set = format!("data.channel={value}");
        printed(&["quarantine", "mend", &id, "--set", &set, "--data", &data])
    };
    let wrong = mend("raven");
    assert!(!wrong.contains("is mended"), "it is changed, and no better: {wrong}");
    assert!(wrong.contains("still cannot be taken") && wrong.contains("pigeon"), "{wrong}");
    assert!(wrong.contains(&format!("mend {id} --set")), "{wrong}");
    let right = mend("phone");
    let next = format!("It can be taken now: cxledger quarantine retake {id}{option}");
    assert!(right.contains(&next), "{right}");
    let taken = printed(&["quarantine", "retake", "--data", &data]);
    assert!(taken.starts_with("2 rows: 1 taken (1 event), 1 stays"), "{taken}");
    assert!(taken.contains("why it stays") && taken.contains("events.ndjson"), "{taken}");
    let other = rows(&data)[0]["id"].as_str().unwrap()[..8].to_owned();
    assert!(taken.contains(&format!("cxledger quarantine mend {other} --set")), "{taken}");
    let dropped = printed(&["quarantine", "drop", &other, "--data", &data]);
    assert_eq!(dropped, "1 row dropped; the quarantine is empty now\n");
    let nothing = printed(&["quarantine", "retake", "--data", &data]);
    assert!(nothing.contains("nothing to take again"), "{nothing}");
    let empty = printed(&["quarantine", "list", "--data", &data]);
    assert_eq!(empty, format!("the quarantine of {data} is empty\n"));
}

#[test]
fn explain_takes_a_timeline_without_a_page_and_answers_a_wrong_key_with_one_that_is_there() {
    let (_, data, customer) = a_years_data();
    let whole = json(&["explain", "timeline", customer, "--data", data, "--json"]);
    let key = whole["key"].as_str().unwrap();
    assert!(key.starts_with(&format!("{customer}/")) && whole["row"]["Page"].is_array(), "{key}");
    let printed = printed(&["explain", "timeline", customer, "--data", data, "--limit", "2"]);
    let words: Vec<&str> = printed.split_whitespace().collect();
    let time = words.iter().position(|word| *word == "occurred_at:").expect(&printed);
    assert!(words[time + 1].starts_with("2025-") && words[time + 1].ends_with("Z,"), "{printed}");
    let page = json(&["explain", "timeline", customer, "--data", data, "--limit", "2", "--json"]);
    let next = page["next"].as_u64().expect("there is more").to_string();
    let rest = ["explain", "timeline", customer, "--data", data, "--after", &next, "--json"];
    assert_eq!(json(&rest)["reasons"][0], whole["reasons"][2], "the next page begins behind it");
    assert!(printed.contains("InteractionRecorded"), "types of events have names: {printed}");
    let said = refused(&["explain", "customer", "somebody", "--data", data]);
    let place = said.find("cxledger explain customer customer-").expect(&said);
    let example = said[place..].split_whitespace().nth(3).unwrap();
    json(&["explain", "customer", example, "--data", data, "--json"]);
    let said = refused(&["explain", "timelin", customer, "--data", data]);
    assert!(said.contains("did you mean `timeline`?"), "{said}");
    let nobody = "customer-00000000-0000-4000-8000-000000000000";
    let said = refused(&["explain", "timeline", nobody, "--data", data]);
    assert!(said.contains("has nothing of"), "{said}");
}

#[test]
fn a_replay_prints_the_last_scores_as_words() {
    let (_, data, customer) = a_years_data();
    let scores =
        |line: &str| line.trim().strip_prefix("last scores").map(str::trim).map(String::from);
    let replayed = printed(&["replay", customer, "--data", data]);
    let said = replayed.lines().find_map(scores).expect(&replayed);
    assert!(!said.contains(['[', '{', '"']), "{said}");
}
