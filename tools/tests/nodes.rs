//! Several cxledger processes over one event store: what one decides holds for all, their views
//! agree, any of them may be lost, and all use the same keys.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "nodes/process.rs"]
mod process;

use std::path::Path;
use std::thread;

use process::{Node, World, command, failing};
use serde_json::{Value, json};

const ERASED: &str = "ERASED";

fn register(node: &Node, name: &str, key: &str) -> Value {
    node.ask(
        "mutation($name: String, $key: String) { registerCustomer(input: {kind: PERSON, \
         name: $name, idempotencyKey: $key}) { customer { id } duplicate position errors { code } } }",
        &json!({ "name": name, "key": key }),
    )["registerCustomer"]
        .clone()
}

fn id_of(payload: &Value) -> String {
    payload["customer"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
}

/// The codes of a mutation's refusals, none if it was done.
fn codes(payload: &Value) -> Vec<String> {
    let errors = payload["errors"].as_array().unwrap_or_else(|| panic!("{payload}"));
    errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

/// The same question to both nodes at the same moment.
fn both(nodes: [&Node; 2], ask: impl Fn(usize, &Node) -> Value + Sync) -> [Value; 2] {
    thread::scope(|scope| {
        let ask = &ask;
        let two = [0, 1].map(|n| scope.spawn(move || ask(n, nodes[n])));
        two.map(|thread| thread.join().unwrap())
    })
}

fn name_at(node: &Node, customer: &str, position: &str) -> Value {
    let query = "query($id: ID!) { customer(by: {id: $id}) { name } }";
    node.ask_at_least(position, query, &json!({ "id": customer }))["customer"]["name"].clone()
}

fn one_of_two_gets_an_identifier(nodes: [&Node; 2], number: usize) {
    let customers = both(nodes, |n, node| {
        register(node, &format!("Somebody {number} {n}"), &format!("register-{number}-{n}"))
    });
    // Each sees what the other sealed.
    for (reader, customer) in [(nodes[1], &customers[0]), (nodes[0], &customers[1])] {
        let name = name_at(reader, &id_of(customer), customer["position"].as_str().unwrap());
        assert!(name.as_str().is_some_and(|name| name.starts_with("Somebody")), "{name}");
    }
    let ids = [id_of(&customers[0]), id_of(&customers[1])];
    let claims = both(nodes, |n, node| {
        node.ask(
            "mutation($id: ID!, $value: String!) { attachIdentifier(input: {customer: $id, \
             scheme: \"crm\", value: $value}) { position errors { code } } }",
            &json!({ "id": ids[n], "value": format!("C-{number}") }),
        )["attachIdentifier"]
            .clone()
    });
    let mut outcomes = claims.each_ref().map(codes);
    outcomes.sort();
    assert_eq!(outcomes, [vec![], vec!["IDENTIFIER_TAKEN".to_owned()]], "{claims:?}");
}

fn a_case_is_acknowledged_once(nodes: [&Node; 2], customer: &str) {
    let opened = nodes[0].ask(
        "mutation($id: ID!) { openCase(input: {customer: $id, kind: COMPLAINT}) { case position \
         errors { code } } }",
        &json!({ "id": customer }),
    )["openCase"]
        .clone();
    let case = opened["case"].as_str().unwrap_or_else(|| panic!("{opened}"));
    let told = both(nodes, |_, node| {
        node.ask(
            "mutation($id: ID!, $case: ID!) { acknowledgeCase(input: {customer: $id, case: $case}) { \
             position errors { code } } }",
            &json!({ "id": customer, "case": case }),
        )["acknowledgeCase"]
            .clone()
    });
    let mut outcomes = told.each_ref().map(codes);
    outcomes.sort();
    assert_eq!(outcomes, [vec![], vec!["ALREADY_ACKNOWLEDGED".to_owned()]], "{told:?}");
}

/// The views' roots as `verify` finds them, which compares each with a fresh fold.
fn roots(world: &World, name: &str) -> Vec<(String, String)> {
    let data = world.data(name);
    let said = world.run(name, &["verify", "--json", "--data", &data]);
    let verdict: Value = serde_json::from_str(&said).unwrap();
    let views = verdict["views"].as_array().unwrap();
    assert!(views.len() > 5 && views.iter().all(|view| view["agrees"] == true), "{verdict}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    views.iter().map(|view| (text(&view["view"]), text(&view["root"]))).collect()
}

#[test]
fn nodes_over_one_event_store_decide_as_one_and_their_views_agree() {
    let world = World::new();
    let one = world.node("one");
    let mut two = world.node("two");
    for number in 0..12 {
        one_of_two_gets_an_identifier([&one, &two], number);
    }
    // The same deed told to both counts once.
    for number in 0..6 {
        let key = format!("deed-{number}");
        let told = both([&one, &two], |_, node| register(node, "Ada", &key));
        assert_eq!(id_of(&told[0]), id_of(&told[1]));
        assert_eq!(told[0]["position"], told[1]["position"]);
        let again = both([&one, &two], |_, node| register(node, "Ada", &key));
        for payload in &again {
            assert_eq!((&payload["duplicate"], id_of(payload)), (&json!(true), id_of(&told[0])));
        }
    }
    let ada = register(&one, "Ada Lovelace", "ada");
    let ada_id = id_of(&ada);
    for _ in 0..6 {
        a_case_is_acknowledged_once([&one, &two], &ada_id);
    }
    // One is killed and loses its views, while the other goes on.
    two.kill();
    std::fs::remove_dir_all(Path::new(&world.data("two")).join("views")).unwrap();
    let bob = register(&one, "Bob", "bob");
    let mut two = world.node("two");
    assert_eq!(name_at(&two, &id_of(&bob), bob["position"].as_str().unwrap()), "Bob");
    // An erasure holds at once, wherever it was ordered.
    let erased = two.ask(
        "mutation($id: ID!) { eraseCustomer(input: {customer: $id, reason: \"request\"}) { \
         position errors { code } } }",
        &json!({ "id": ada_id }),
    )["eraseCustomer"]
        .clone();
    assert!(codes(&erased).is_empty(), "{erased}");
    let name = name_at(&one, &ada_id, erased["position"].as_str().unwrap());
    assert!(name.is_null() || name == ERASED, "{name}");
    let more = one.ask(
        "mutation($id: ID!) { openCase(input: {customer: $id, kind: QUESTION}) { errors { code } } }",
        &json!({ "id": ada_id }),
    )["openCase"]
        .clone();
    assert!(!codes(&more).is_empty(), "nothing more is recorded of who was erased: {more}");
    let mut one = one;
    one.kill();
    two.kill();
    assert_eq!(roots(&world, "one"), roots(&world, "two"));
}

#[test]
fn a_node_whose_keys_are_not_the_ledgers_does_not_start() {
    let world = World::new();
    let one = world.node("one");
    register(&one, "Ada", "ada");
    // A copy of the keys, from before Bob was known.
    let old = world.copy_of("keys", "old");
    let bob = register(&one, "Bob", "bob");
    let start = |keys: &str| {
        let data = world.data("three");
        let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--data", &data]);
        failing(serve.env("CXLEDGER_LEDGER", &world.address).env("CXLEDGER_KEYS", keys))
    };
    let said = start(&world.data("nowhere"));
    assert!(said.contains("keys are missing"), "{said}");
    let event_stores_own = world.copy_of("store/keys", "foreign");
    for keys in [&old, &event_stores_own] {
        let said = start(keys);
        assert!(said.contains("sealed with other keys"), "{said}");
        assert!(said.contains("CXLEDGER_KEYS"), "{said}");
    }
    // Keys from before an erasure: it is repeated, and nothing is read before.
    let before = world.copy_of("keys", "before");
    let erased = one.ask(
        "mutation($id: ID!) { eraseCustomer(input: {customer: $id, reason: \"request\"}) { \
         position errors { code } } }",
        &json!({ "id": id_of(&bob) }),
    );
    assert!(codes(&erased["eraseCustomer"]).is_empty(), "{erased}");
    let data = world.data("four");
    let mut status = command(&["status", "--data", &data]);
    let said = failing(status.env("CXLEDGER_LEDGER", &world.address).env("CXLEDGER_KEYS", &before));
    assert!(said.contains("restored"), "{said}");
    let four = world.node_with("four", &before);
    let name = name_at(&four, &id_of(&bob), erased["eraseCustomer"]["position"].as_str().unwrap());
    assert!(name.is_null() || name == ERASED, "{name}");
}

#[test]
fn a_newer_word_beside_older_keys_hides_no_erasure() {
    let world = World::new();
    let mut one = world.node("one");
    let ada = register(&one, "Ada", "ada");
    let older = world.copy_of("keys", "older");
    let erased = one.ask(
        "mutation($id: ID!) { eraseCustomer(input: {customer: $id, reason: \"request\"}) { \
         position errors { code } } }",
        &json!({ "id": id_of(&ada) }),
    );
    assert!(codes(&erased["eraseCustomer"]).is_empty(), "{erased}");
    // It starts again and looks past the erasure.
    one.kill();
    let one = world.node("one");
    let told = Path::new(&world.data("keys")).join("reviewed");
    std::fs::copy(told, Path::new(&older).join("reviewed")).unwrap();
    let data = world.data("two");
    let status = |keys: &str| {
        let mut status = command(&["status", "--data", &data]);
        status.env("CXLEDGER_LEDGER", &world.address).env("CXLEDGER_KEYS", keys);
        status
    };
    let said = failing(&mut status(&older));
    assert!(said.contains("older than 1 erasures"), "{said}");
    drop(world.node_with("two", &older));
    assert!(status(&older).output().unwrap().status.success());
    drop(one);
}

#[test]
fn an_event_store_that_was_restored_is_told_of_the_erasures_that_the_keys_know() {
    let mut world = World::new();
    let mut one = world.node("one");
    let ada = register(&one, "Ada", "ada");
    // Started again it has looked at the ledger up to here, which the backup has as well.
    one.kill();
    let mut one = world.node("one");
    let backup = world.data("backup");
    let done = command(&["backup", &backup, "--data", &world.data("store")]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let late = register(&one, "Late", "late");
    for customer in [&ada, &late] {
        let erased = one.ask(
            "mutation($id: ID!) { eraseCustomer(input: {customer: $id, reason: \"request\"}) { \
             errors { code } } }",
            &json!({ "id": id_of(customer) }),
        );
        assert!(codes(&erased["eraseCustomer"]).is_empty(), "{erased}");
    }
    let status = |world: &World, name: &str| -> Value {
        let said = world.run(name, &["status", "--json", "--data", &world.data(name)]);
        serde_json::from_str(&said).unwrap()
    };
    let erased = |node: &Node, at: &Value, customer: &Value| {
        let query = "query($id: ID!) { customer(by: {id: $id}) { erased } }";
        let variables = json!({ "id": id_of(customer) });
        node.ask_at_least(at.as_str().unwrap(), query, &variables)["customer"].clone()
    };
    // The second time the node has seen an end of the ledger that is gone again.
    for name in ["second", "third"] {
        one.kill();
        world.restore(&backup, &format!("store of {name}"));
        for _start in 0..2 {
            one = world.node(name);
            let events = status(&world, name)["events"].clone();
            assert_eq!(events, 3, "one was known, of whom two more are said");
            one.kill();
        }
        one = world.node(name);
        let at = status(&world, name)["position"].clone();
        assert_eq!(erased(&one, &at, &ada), json!({ "erased": true }));
        assert_eq!(erased(&one, &at, &late), Value::Null, "nothing is invented");
    }
    one.kill();
    roots(&world, "third");
}

#[test]
fn nodes_that_began_with_keys_of_their_own_start_once_an_operator_accepts_the_loss() {
    let world = World::new();
    // Both begin while the event store is empty: neither can tell.
    let one = world.node("one");
    let theirs = world.data("theirs");
    let mut two = world.node_with("two", &theirs);
    register(&one, "Ada", "ada");
    let bob = register(&two, "Bob", "bob");
    two.kill();
    let serve = |accept: Option<&str>| {
        let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--data"]);
        serve.arg(world.data("two")).env("CXLEDGER_LEDGER", &world.address);
        serve.env("CXLEDGER_KEYS", &theirs);
        accept.map(|position| serve.env("CXLEDGER_ACCEPT_KEYS", position));
        serve
    };
    let said = failing(&mut serve(None));
    assert!(said.contains("sealed with other keys"), "{said}");
    let (_, position) = said.split_once("CXLEDGER_ACCEPT_KEYS=").unwrap();
    let said = failing(&mut serve(Some("all")));
    assert!(said.contains("names a position"), "{said}");
    let mut node = Node::start(&mut serve(Some(position.trim())), "cxledger serves");
    assert_eq!(name_at(&node, &id_of(&bob), bob["position"].as_str().unwrap()), "Bob");
    node.kill();
    // From then on without being asked.
    drop(Node::start(&mut serve(None), "cxledger serves"));
}

#[test]
fn a_damaged_key_stops_no_node() {
    let world = World::new();
    let one = world.node("one");
    register(&one, "Ada", "ada");
    let bob = register(&one, "Bob", "bob");
    let copy = world.copy_of("keys", "copy");
    let store = Path::new(&copy).join("vault.keys");
    let mut bytes = std::fs::read(&store).unwrap();
    // The second of all slots is Bob's, the first was Ada's.
    bytes[4096..4096 + 128].fill(0x5a);
    std::fs::write(&store, bytes).unwrap();
    let two = world.node_with("two", &copy);
    assert_eq!(name_at(&two, &id_of(&bob), bob["position"].as_str().unwrap()), "Bob");
}

#[test]
fn a_second_process_does_not_open_a_nodes_directory_and_a_killed_one_leaves_it_free() {
    let world = World::new();
    let mut one = world.node("one");
    let data = world.data("one");
    let mut second = command(&["serve", "--listen", "127.0.0.1:0", "--data", &data]);
    let said = failing(world.settings(&mut second));
    assert!(said.contains("in use by the server at http://"), "{said}");
    let served = world.run("one", &["status", "--json", "--data", &data]);
    assert!(served.contains("http://127.0.0.1"), "{served}");
    one.kill();
    let served = world.run("one", &["status", "--json", "--data", &data]);
    assert!(served.contains("\"server\": null"), "{served}");
}

#[test]
fn a_file_of_settings_is_below_the_environment_and_that_below_flags() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cxledger.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("listen = \"127.0.0.1:1\"\nhosts = [\"a\", \"b\"]\nkeys = \"keys\"\nlog = \"error\"\n");
    let data = directory.path().to_str().unwrap();
    let show = |arguments: &[&str], environment: &[(&str, &str)]| -> Value {
        let mut command = command(&["config", "--json", "--data", data]);
        command.args(arguments).envs(environment.iter().copied());
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    };
    let says = |shown: &Value, key: &str| {
        let settings = shown["settings"].as_array().unwrap();
        let found = settings.iter().find(|setting| setting["setting"] == key).unwrap();
        (found["values"].clone(), found["from"].as_str().unwrap().to_owned())
    };
    let path = file.to_str().unwrap().to_owned();
    let shown = show(&[], &[("CXLEDGER_PASSPHRASE", "open sesame")]);
    assert_eq!(says(&shown, "listen"), (json!(["127.0.0.1:1"]), path.clone()));
    assert_eq!(says(&shown, "hosts"), (json!(["a", "b"]), path.clone()));
    let keys = directory.path().join("keys");
    assert_eq!(says(&shown, "keys"), (json!([keys.to_str().unwrap()]), path.clone()));
    assert_eq!(says(&shown, "esdb"), (json!([]), "not set".to_owned()));
    assert_eq!(says(&shown, "data").1, "--data");
    assert!(!shown.to_string().contains("sesame"), "{shown}");
    let environment = [("CXLEDGER_LISTEN", "127.0.0.1:2"), ("CXLEDGER_HOSTS", "c,d")];
    let shown = show(&[], &environment);
    assert_eq!(says(&shown, "listen"), (json!(["127.0.0.1:2"]), "CXLEDGER_LISTEN".to_owned()));
    assert_eq!(says(&shown, "hosts"), (json!(["c", "d"]), "CXLEDGER_HOSTS".to_owned()));
    let shown = show(&["--listen", "127.0.0.1:3", "--host", "e"], &environment);
    assert_eq!(says(&shown, "listen"), (json!(["127.0.0.1:3"]), "--listen".to_owned()));
    assert_eq!(says(&shown, "hosts"), (json!(["e"]), "--host".to_owned()));
    // Whatever the command, a file that cannot be understood stops it.
    write("lisen = \"127.0.0.1:1\"\n");
    let said = failing(&mut command(&["status", "--data", data]));
    assert!(said.contains("did you mean `listen`?") && said.contains(&path), "{said}");
}
