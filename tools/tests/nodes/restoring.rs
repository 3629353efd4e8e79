//! An event store that was restored from a backup, under nodes whose keys are younger.

use serde_json::{Value, json};

use super::process::{Node, World, command};
use super::{codes, id_of, register, roots};

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
