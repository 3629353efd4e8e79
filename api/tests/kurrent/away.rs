//! What clients of the API are told while the event store is away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use cx_api::executor::{ExecutorConfig, Guarded};
use cx_api::http::{Api, ApiConfig};
use cx_api::intake::BookIntake;
use cx_api::metrics::ApiMetrics;
use cx_api::ready::{SystemReadiness, ledger_is_away};
use cx_api::schema::{System, schema};
use cx_api::serve::Drain;
use cx_ledger::kurrent::Patience;
use cx_ledger::{Book, KurrentLedger, KurrentSettings, Ledger, MemoryLedger, Vault};
use cx_projections::{Engine, Options};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::server::Server;

/// The API over a ledger on an event store that can be stopped.
struct World {
    stored: Arc<dyn Ledger>,
    server: Option<Server>,
    address: SocketAddr,
    engine: Arc<Engine>,
    router: Router,
    _directory: tempfile::TempDir,
}

impl World {
    /// A call of the ledger, and a request, take no longer than this.
    async fn new(call: Duration, request: Duration) -> Self {
        let stored: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let server = Server::start(Arc::clone(&stored));
        let address = server.address;
        let settings = KurrentSettings::parse(&format!("esdb://{address}?tls=false")).unwrap();
        let settings = settings.with_patience(Patience { call, ..Patience::default() });
        let ledger: Arc<dyn Ledger> = Arc::new(KurrentLedger::connect(settings).await.unwrap());
        let book = Book::new(Arc::clone(&ledger), Arc::new(Vault::in_memory()));
        let directory = tempfile::tempdir().unwrap();
        let options = Options { cache_bytes: 1 << 20, ..Options::default() };
        let engine = Engine::start(ledger, directory.path(), options).await.unwrap();
        let engine = Arc::new(engine);
        let system = System { book: book.clone(), engine: Arc::clone(&engine) };
        let asked = system.clone();
        let mut config = ExecutorConfig::default();
        config.deadline = request;
        let executor = Guarded::new(schema(system.clone()), config, ApiMetrics::default())
            .with_ledger_away(Arc::new(move || ledger_is_away(&asked)));
        let readiness = Arc::new(SystemReadiness::new(system));
        let router = Api::new(executor, ApiConfig::default(), readiness, Drain::default())
            .with_intake(Arc::new(BookIntake::new(book)))
            .router(Router::new());
        Self { stored, server: Some(server), address, engine, router, _directory: directory }
    }

    async fn post(&self, path: &str, media: &str, body: &Value) -> (u16, Option<String>, Value) {
        let request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", media)
            .header("accept", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let again = response.headers().get("retry-after");
        let again = again.map(|value| value.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, again, serde_json::from_slice(&body).unwrap())
    }

    async fn ask(&self, document: &str) -> (u16, Option<String>, Value) {
        self.post("/graphql", "application/json", &json!({ "query": document })).await
    }

    fn stop(&mut self) {
        self.server = None;
    }

    fn start_again(&mut self) {
        self.server = Some(Server::start_at(Arc::clone(&self.stored), self.address));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (engine, runtime) = (&self.engine, tokio::runtime::Handle::current());
        tokio::task::block_in_place(|| runtime.block_on(engine.shutdown()));
    }
}

const REGISTER: &str = "mutation { registerCustomer(input: {kind: PERSON, idempotencyKey: \"ada\"}) \
    { position duplicate errors { code } } }";

/// A load balancer waits no 30 seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_is_told_soon_while_the_event_store_is_away() {
    let mut world = World::new(Duration::from_secs(30), Duration::from_secs(10)).await;
    world.stop();
    let ask = Request::get("/health/ready").header("host", "localhost").body(Body::empty());
    let ask = ask.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), world.router.clone().oneshot(ask));
    assert_eq!(told.await.unwrap().unwrap().status(), 503);
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_waits_for_an_event_store_that_is_away_says_so_and_is_safe_to_repeat() {
    let mut world = World::new(Duration::from_secs(30), Duration::from_secs(3)).await;
    world.stop();
    let reading = "{ ledger { head } }";
    let (told, read) = tokio::join!(world.ask(REGISTER), world.ask(reading));
    for (status, again, answer) in [&told, &read] {
        assert_eq!((*status, again.as_deref()), (503, Some("5")), "{answer}");
        assert_eq!(code(answer), "UNAVAILABLE");
        assert!(answer.get("data").is_none(), "{answer}");
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("repeat it with the same idempotencyKey"), "{message}");
    }
    world.start_again();
    for duplicate in [false, true] {
        let (status, again, answer) = world.ask(REGISTER).await;
        assert_eq!((status, again), (200, None), "{answer}");
        let done = &answer["data"]["registerCustomer"];
        assert_eq!((&done["errors"], &done["duplicate"]), (&json!([]), &json!(duplicate)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_the_event_store_does_not_answer_is_no_refusal_and_no_fault_of_ours() {
    let mut world = World::new(Duration::from_secs(1), Duration::from_secs(10)).await;
    world.stop();
    let (status, _, answer) = world.ask(REGISTER).await;
    assert_eq!((status, code(&answer)), (200, "UNAVAILABLE"), "{answer}");
    assert_eq!(answer["errors"][0]["path"], json!(["registerCustomer"]));
    let (_, _, answer) = world.ask("{ ledger { head } }").await;
    assert_eq!(code(&answer), "UNAVAILABLE", "{answer}");
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "crm", "type": "cx.InteractionRecorded",
        "subject": "crm:C-1",
        "data": { "kind": "call", "channel": "phone", "direction": "in", "initiator": "customer" },
    });
    let events = "application/cloudevents+json";
    let (status, again, answer) = world.post("/events", events, &event).await;
    assert_eq!((status, again.as_deref()), (503, Some("5")), "{answer}");
    assert_eq!(answer["code"], "UNAVAILABLE");
    world.start_again();
    let (status, _, answer) = world.post("/events", events, &event).await;
    assert_eq!((status, &answer["taken"]), (200, &json!(1)), "{answer}");
    // A refusal is told in the payload, as data.
    let refused = "mutation { declareIntent(input: {customer: \
        \"customer-00000000-0000-4000-8000-00000000000f\", intent: \"leave\"}) { errors { code } } }";
    let (_, _, answer) = world.ask(refused).await;
    assert_eq!(answer["data"]["declareIntent"]["errors"][0]["code"], "UNKNOWN_CUSTOMER");
}
