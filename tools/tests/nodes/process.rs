//! The program's processes, as an operator starts them, and as a client asks them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The program with arguments, and nothing of the environment that is about it.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxledger"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CXLEDGER_")) {
        command.env_remove(name);
    }
    command.args(arguments).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}

/// What a command says that is expected to fail.
pub fn failing(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success(), "{} {said}", String::from_utf8_lossy(&done.stdout));
    said
}

/// A server, until it is dropped.
pub struct Node {
    child: Child,
    pub address: String,
    /// What it said until then.
    said: String,
}

impl Node {
    pub fn start(command: &mut Command, until: &str) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said}")).unwrap();
            said.push_str(&line);
            said.push('\n');
            if line.contains(until) {
                break;
            }
        }
        // Nothing that it says later stops it.
        std::thread::spawn(move || lines.for_each(drop));
        let address = after(&said, "http://").to_owned();
        Self { child, address, said }
    }

    /// As a power cut ends it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks over GraphQL; fails where the answer has errors.
    pub fn ask(&self, query: &str, variables: &Value) -> Value {
        let answer = self.post(query, variables, None);
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    }

    /// Asks until the views have reached a position.
    pub fn ask_at_least(&self, position: &str, query: &str, variables: &Value) -> Value {
        loop {
            let answer = self.post(query, variables, Some(position));
            let Some(errors) = answer.get("errors") else { return answer["data"].clone() };
            assert_eq!(errors[0]["extensions"]["code"], "STALE", "{answer}");
        }
    }

    fn post(&self, query: &str, variables: &Value, at_least: Option<&str>) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let at_least = at_least.map(|at| format!("cx-at-least: {at}\r\n")).unwrap_or_default();
        write!(
            socket,
            "POST /graphql HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{at_least}\
             content-type: application/json\r\naccept: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {head}\n{body}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The word that begins behind a mark.
fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {text}"));
    rest.split_whitespace().next().unwrap()
}

/// An event store over a data directory, and its address.
fn event_store(data: &str) -> (Node, String) {
    let arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--esdb", "127.0.0.1:0"];
    let store = Node::start(&mut command(&arguments), "event store at");
    let address = after(&store.said, "event store at ").to_owned();
    (store, address)
}

/// An event store, and a folder for the nodes that keep their ledger there.
pub struct World {
    folder: TempDir,
    store: Node,
    /// The event store's.
    pub address: String,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, address) = event_store(folder.path().join("store").to_str().unwrap());
        Self { folder, store, address }
    }

    /// Puts an event store in the place of this one, as it was when it was backed up.
    pub fn restore(&mut self, backup: &str, name: &str) {
        self.store.kill();
        let data = self.data(name);
        let done = command(&["restore", backup, "--data", &data]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.copy_of("store/keys", &format!("{name}/keys"));
        (self.store, self.address) = event_store(&data);
    }

    /// The data directory of a node.
    pub fn data(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Where the ledger is, and the keys that all nodes share.
    pub fn settings<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("CXLEDGER_LEDGER", &self.address).env("CXLEDGER_KEYS", self.data("keys"))
    }

    pub fn node(&self, name: &str) -> Node {
        self.node_with(name, &self.data("keys"))
    }

    /// A node whose keys are elsewhere.
    pub fn node_with(&self, name: &str, keys: &str) -> Node {
        let data = self.data(name);
        let mut serve = command(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
        serve.env("CXLEDGER_LEDGER", &self.address).env("CXLEDGER_KEYS", keys);
        Node::start(&mut serve, "cxledger serves")
    }

    /// Runs a command on a node's directory.
    pub fn run(&self, name: &str, arguments: &[&str]) -> String {
        let done = self.settings(&mut command(arguments)).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{name}: {said}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// A copy of a directory of keys as they are now.
    pub fn copy_of(&self, keys: &str, name: &str) -> String {
        let copy = self.data(name);
        std::fs::create_dir(&copy).unwrap();
        for entry in std::fs::read_dir(self.data(keys)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), Path::new(&copy).join(entry.file_name())).unwrap();
        }
        copy
    }
}
