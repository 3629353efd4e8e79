//! A page of a timeline written as text is what the derived type would have answered.

use async_graphql::Request;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::world::{World, accepted};

const LEAVES: [&str; 14] = [
    "__typename",
    "id",
    "kind",
    "occurredAt",
    "recordedAt",
    "position",
    "channel",
    "direction",
    "stage",
    "label",
    "valence",
    "status",
    "touchpointId",
    "touchpoint { name }",
];

/// Selections of an entry, some under another name, some behind a fragment.
fn selection() -> impl Strategy<Value = String> {
    let field = (0..LEAVES.len(), prop::option::of("[a-c]x")).prop_map(|(place, alias)| {
        match alias {
            // Another name never hides another field: it names the field as well.
            Some(alias) => format!("{alias}{place}: {}", LEAVES[place]),
            None => LEAVES[place].to_owned(),
        }
    });
    prop::collection::vec(field, 1..10).prop_map(|fields| fields.join(" "))
}

/// A list of a timeline, and the fragment it may need.
fn list() -> impl Strategy<Value = (String, String)> {
    (selection(), 0..4).prop_map(|(entry, form)| match form {
        0 => (format!("nodes {{ {entry} }}"), String::new()),
        1 => (format!("edges {{ cursor node {{ {entry} }} }}"), String::new()),
        2 => (
            "edges { node { ...Entry } __typename }".to_owned(),
            format!("fragment Entry on TimelineEntry {{ {entry} }}"),
        ),
        _ => (format!("edges {{ node {{ {entry} }} node {{ kind }} }}"), String::new()),
    })
}

async fn text(world: &World, document: &str) -> String {
    let answer = world.answer_text(Request::new(document)).await;
    let whole: Value = serde_json::from_str(&answer).unwrap();
    assert!(whole.get("errors").is_none(), "{document}\n{answer}");
    let start = answer.find("\"timeline\":").unwrap();
    let end = answer.find(",\"ledger\":").unwrap();
    answer[start..end].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_written_as_text_is_the_derived_one() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    for (channel, kind) in [("PHONE", "call"), ("WEB", "quote \" and \\ and ü"), ("KIOSK", "visit")]
    {
        let input = json!({ "customer": customer, "kind": kind, "channel": channel,
            "direction": "IN", "initiator": "CUSTOMER" });
        let done = world.act("recordInteraction", "RecordInteractionInput", "", input).await;
        accepted(&done);
    }
    let head = world.book.ledger().head().await.unwrap();
    world.engine.at_least(head, &[], std::time::Duration::from_secs(30)).await.unwrap();
    let mut runner =
        TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let handle = tokio::runtime::Handle::current();
    let checked = tokio::task::block_in_place(|| {
        runner.run(&list(), |(list, fragment)| {
            let page = format!("timeline(customer: \"{customer}\") {{ {list} }} ledger {{ head }}");
            // A second timeline in the document leaves every list to the derived type.
            let other = format!("other: timeline(customer: \"{customer}\") {{ asOf }}");
            let (raw, derived) = handle.block_on(async {
                let raw = text(&world, &format!("{{ {page} }} {fragment}")).await;
                (raw, text(&world, &format!("{{ {page} {other} }} {fragment}")).await)
            });
            prop_assert_eq!(raw, derived);
            Ok(())
        })
    });
    checked.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_plain_page_is_written_as_text() {
    let world = World::new().await;
    let customer = world.customer("Ada").await;
    let is_text = async |list: &str| {
        let document = format!("{{ timeline(customer: \"{customer}\") {{ {list} }} }}");
        let response = world.response(Request::new(document)).await;
        format!("{:?}", response.data).contains("Binary(")
    };
    assert!(is_text("nodes { kind occurredAt }").await);
    assert!(is_text("edges { cursor node { id channel } }").await);
    assert!(!is_text("nodes { kind touchpoint { name } }").await);
    assert!(!is_text("edges { cursor } edges { node { kind } }").await);
}
