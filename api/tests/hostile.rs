//! Requests that mean harm: each is refused by the rule that is meant to refuse it, on every way in.

#![allow(clippy::unwrap_used)] // a test may panic

use async_graphql::{Executor, Request, Value};
use cx_api::executor::{ExecutorConfig, Guarded};
use cx_api::hostile::{borderline, corpus};
use cx_api::metrics::ApiMetrics;
use futures::StreamExt;

#[path = "desk/schema.rs"]
#[allow(dead_code)]
mod schema;

fn executor() -> Guarded<schema::DeskSchema> {
    let schema = schema::schema(schema::Desk::default());
    Guarded::new(schema, ExecutorConfig::default(), ApiMetrics::default())
}

fn rule_of(response: &async_graphql::Response) -> Option<String> {
    match response.errors.first()?.extensions.as_ref()?.get("rule")? {
        Value::String(rule) => Some(rule.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn every_hostile_request_is_refused_by_the_rule_meant_for_it() {
    let executor = executor();
    let mut wrong = Vec::new();
    for hostile in corpus() {
        let request = || Request::new(&hostile.document).variables(hostile.variables.clone());
        let once = executor.execute(request()).await;
        let as_stream: Vec<_> = executor.execute_stream(request(), None).collect().await;
        assert_eq!(as_stream.len(), 1, "{}", hostile.name);
        for response in [&once, &as_stream[0]] {
            if rule_of(response).as_deref() != Some(hostile.rule.name()) {
                wrong.push((hostile.name.clone(), hostile.rule, rule_of(response)));
            }
            assert_eq!(response.errors.len(), 1);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn files_of_hostile_documents_are_refused_by_the_rule_in_their_first_line() {
    let executor = executor();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let document = std::fs::read_to_string(&path).unwrap();
        let rule = document.lines().next().unwrap().strip_prefix("# refused by: ").unwrap();
        let response = executor.execute(Request::new(&document)).await;
        assert_eq!(rule_of(&response).as_deref(), Some(rule), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 8);
}

#[test]
fn what_the_guard_lets_through_parses_on_a_small_stack() {
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    let parse = || {
        for (_, document) in borderline() {
            let _ = async_graphql::parser::parse_query(document);
        }
    };
    thread.spawn(parse).unwrap().join().unwrap();
}

#[test]
fn what_the_guard_lets_through_runs_on_half_of_a_workers_stack() {
    // A worker of tokio has 2 MiB; without optimisation a level of fields takes some 30 KiB.
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let executor = executor();
        for (_, document) in borderline() {
            runtime.block_on(executor.execute(Request::new(document)));
        }
        let deep = "{ thing ".repeat(19) + "{ name }" + &"}".repeat(19);
        let response = runtime.block_on(executor.execute(Request::new(deep)));
        assert!(response.is_ok(), "{:?}", response.errors);
    };
    thread.spawn(run).unwrap().join().unwrap();
}

#[tokio::test]
async fn a_standard_introspection_query_passes() {
    let query = include_str!("desk/introspection.graphql");
    let response = executor().execute(Request::new(query)).await;
    assert!(response.is_ok(), "{:?}", response.errors);
}

#[tokio::test]
async fn an_error_never_echoes_the_document() {
    let secret = "ada.lovelace@example.org";
    for document in [format!("{{ a(x: \"{secret}\") "), format!("{secret} {{ a }}")] {
        let response = executor().execute(Request::new(document)).await;
        let text = serde_json::to_string(&response).unwrap();
        assert!(!text.contains("lovelace") && response.is_err(), "{text}");
    }
}
