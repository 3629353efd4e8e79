//! What we rely on in async-graphql. This table decides every upgrade: a version that fails it
//! breaks clients (7.2.1 does), however new it is.

#![allow(clippy::unwrap_used)] // a test may panic

use async_graphql::{Executor, Request};
use cx_api::executor::{ExecutorConfig, Guarded};
use cx_api::metrics::ApiMetrics;
use serde_json::{Value, json};

#[path = "desk/schema.rs"]
#[allow(dead_code)]
mod schema;

async fn ask(document: &str) -> (Value, String) {
    let desk = schema::Desk::default();
    desk.record("1", "CALL");
    let config = ExecutorConfig::default();
    let executor = Guarded::new(schema::schema(desk), config, ApiMetrics::default());
    let response = executor.execute(Request::new(document)).await;
    let text = serde_json::to_string(&response.data).unwrap();
    (serde_json::to_value(&response).unwrap(), text)
}

#[tokio::test]
async fn fields_come_in_the_order_of_the_selection() {
    let document = "{ z: thing { name } projectionStatus { view } a: thing { b: name a: name } }";
    let (_, text) = ask(document).await;
    let expected = r#"{"z":{"name":"a thing"},"projectionStatus":[{"view":"timeline"}],"a":{"b":"a thing","a":"a thing"}}"#;
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_nullable_field_that_fails_is_null_and_keeps_its_key() {
    let (answer, text) = ask("{ thing { name mayFail other: name } }").await;
    assert_eq!(text, r#"{"thing":{"name":"a thing","mayFail":null,"other":"a thing"}}"#);
    assert_eq!(answer["errors"][0]["path"], json!(["thing", "mayFail"]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND");
}

#[tokio::test]
async fn a_field_that_must_not_be_null_takes_its_nearest_nullable_parent_along() {
    let document = "{ thing { maybe { thing { mustNotFail } } name } }";
    let (answer, text) = ask(document).await;
    assert_eq!(text, r#"{"thing":{"maybe":null,"name":"a thing"}}"#);
    assert_eq!(answer["errors"][0]["path"], json!(["thing", "maybe", "thing", "mustNotFail"]));
    let (_, text) = ask("{ thing { mustNotFail } }").await;
    assert_eq!(text, "null");
}

#[tokio::test]
async fn what_is_skipped_leaves_an_empty_object() {
    let (answer, text) = ask("{ thing { name @skip(if: true) } }").await;
    assert_eq!(text, r#"{"thing":{}}"#);
    assert!(answer.get("errors").is_none());
    let (_, text) = ask("{ thing @skip(if: true) { name } }").await;
    assert_eq!(text, "{}");
}

#[tokio::test]
async fn an_internal_fault_shows_its_id_and_nothing_else() {
    for document in ["{ thing { mustNotFail } }", "{ panics }"] {
        let (answer, _) = ask(document).await;
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "INTERNAL", "{error}");
        assert_eq!(error["extensions"]["requestId"].as_str().unwrap().len(), 32);
        assert!(!answer.to_string().contains("Lovelace") && !answer.to_string().contains("index"));
    }
}

#[tokio::test]
async fn errors_of_the_client_have_codes_of_their_own_and_no_suggestions() {
    for (document, code) in [
        ("{ thin }", "VALIDATION_FAILED"),
        ("{ thing { nam } }", "VALIDATION_FAILED"),
        ("{ thing }", "VALIDATION_FAILED"),
        ("query($v: Int!) { thing { things(first: $v) { name } } }", "VALIDATION_FAILED"),
        ("{ position(at: \"no position\") }", "VALIDATION_FAILED"),
        ("{ thing { name }", "BAD_REQUEST"),
        ("query A { thing { name } } query B { thing { name } }", "BAD_REQUEST"),
        ("{ stale }", "STALE"),
    ] {
        let (answer, _) = ask(document).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{document}: {answer}");
        assert!(!answer.to_string().contains("Did you mean"), "{answer}");
    }
    let (answer, _) = ask("{ stale }").await;
    assert_eq!(answer["errors"][0]["extensions"]["required"], "9");
}

#[tokio::test]
async fn an_answer_says_the_position_it_is_true_at() {
    let (answer, _) = ask("{ timeline(customer: \"1\") { edges { node { kind } } } }").await;
    assert_eq!(answer["extensions"]["position"], "1");
}
