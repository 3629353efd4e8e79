//! A ledger, its views and the schema over both.

use std::sync::Arc;

use async_graphql::{Request, Variables};
use cx_api::http::written;
use cx_api::schema::{Schema, System, schema};
use cx_ledger::{Book, MemoryLedger, Vault};
use cx_projections::{Engine, Options};
use futures::Stream;
use serde_json::{Value, json};

pub struct World {
    pub book: Book,
    pub engine: Arc<Engine>,
    schema: Schema,
    _directory: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        let book = Book::new(Arc::new(MemoryLedger::new()), Arc::new(Vault::in_memory()));
        let directory = tempfile::tempdir().unwrap();
        let options = Options { cache_bytes: 1 << 20, check_rows: false, ..Options::default() };
        let engine = Engine::start(book.ledger().clone(), directory.path(), options);
        let engine = Arc::new(engine.await.unwrap());
        let schema = schema(System { book: book.clone(), engine: engine.clone() });
        Self { book, engine, schema, _directory: directory }
    }

    /// The whole answer to a request.
    pub async fn answer(&self, request: Request) -> Value {
        serde_json::from_slice(&written(&self.schema.execute(request).await)).unwrap()
    }

    /// The whole answer to a request, as it is sent.
    pub async fn answer_text(&self, request: Request) -> String {
        String::from_utf8(written(&self.response(request).await)).unwrap()
    }

    /// The whole answer to a request, before it is sent.
    pub async fn response(&self, request: Request) -> async_graphql::Response {
        self.schema.execute(request).await
    }

    /// The answers of a subscription.
    pub fn stream(&self, request: Request) -> impl Stream<Item = async_graphql::Response> + Unpin {
        self.schema.execute_stream(request)
    }

    /// The data of an answer that has no errors.
    pub async fn ask(&self, document: &str, variables: Value) -> Value {
        let request = Request::new(document).variables(Variables::from_json(variables));
        let mut answer = self.answer(request).await;
        assert!(answer.get("errors").is_none_or(Value::is_null), "{answer:#}");
        answer["data"].take()
    }

    /// The payload of one mutation with an input.
    pub async fn act(&self, name: &str, kind: &str, fields: &str, input: Value) -> Value {
        let document = format!(
            "mutation Act($input: {kind}!) {{ {name}(input: $input) {{ position duplicate \
             errors {{ code message path }} {fields} }} }}"
        );
        let mut data = self.ask(&document, json!({ "input": input })).await;
        data[name].take()
    }

    /// The id of a new customer.
    pub async fn customer(&self, name: &str) -> String {
        let input = json!({ "kind": "PERSON", "name": name });
        let done =
            self.act("registerCustomer", "RegisterCustomerInput", "customer { id }", input).await;
        accepted(&done);
        done["customer"]["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for World {
    /// Without this the views would still write while their directory is removed.
    fn drop(&mut self) {
        let engine = &self.engine;
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| runtime.block_on(engine.shutdown()));
    }
}

/// Fails unless the payload says that something was recorded.
pub fn accepted(payload: &Value) {
    assert_eq!(payload["errors"], json!([]), "{payload:#}");
    assert!(payload["position"].is_string(), "{payload:#}");
}

/// The only error of a payload that was refused.
pub fn refusal(payload: &Value) -> (&str, Vec<&str>) {
    assert!(payload["position"].is_null(), "{payload:#}");
    assert_eq!(payload["errors"].as_array().unwrap().len(), 1, "{payload:#}");
    let error = &payload["errors"][0];
    let path = error["path"].as_array().unwrap().iter().map(|part| part.as_str().unwrap());
    (error["code"].as_str().unwrap(), path.collect())
}
