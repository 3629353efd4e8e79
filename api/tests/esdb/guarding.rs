//! The ledger's own streams, and foreign events beside them.

use std::sync::Arc;
use std::time::Duration;

use cx_api::esdb::Endpoint;
use cx_ledger::{Book, Entry, Expected, Ledger, MemoryLedger, Vault};
use cx_model::event::{CaseClosed, CustomerRegistered};
use cx_model::vocabulary::CustomerKind;
use cx_model::{Actor, CaseId, CustomerId, Envelope, NewEvent, encode};
use cx_projections::{Engine, Options};
use eventstore::{DeleteStreamOptions, EventData, ReadStreamOptions, TombstoneStreamOptions};
use jiff::Timestamp;
use uuid::Uuid;

use super::server::{Server, any, event};

fn envelope() -> Envelope {
    Envelope::new(Timestamp::UNIX_EPOCH, Actor::System { name: "test".into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_the_ledger_take_what_the_model_accepts_and_lose_nothing() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let book = Book::new(Arc::clone(&ledger), Arc::new(Vault::in_memory()));
    let customer = CustomerId(Uuid::from_u128(7)).stream();
    let registered =
        CustomerRegistered { kind: CustomerKind::Person, name: Some("Ada".to_owned().into()) };
    let events =
        vec![NewEvent { id: Uuid::from_u128(70), envelope: envelope(), event: registered.into() }];
    let entry = Entry { stream: customer.clone(), expected: Expected::Any, events };
    book.append_many(vec![entry]).await.unwrap();
    let server = Server::at(None, |drain| Endpoint::guarded(&book, None, drain)).await;
    let client = server.client();
    let name = customer.as_str().to_owned();

    let mut read = client.read_stream(name.clone(), &ReadStreamOptions::default()).await.unwrap();
    let told = read.next().await.unwrap().unwrap();
    let told = told.get_original_event();
    assert_eq!((told.id, &*told.event_type), (Uuid::from_u128(70), "CustomerRegistered"));

    let closed = encode(&envelope(), &CaseClosed { case: CaseId(Uuid::from_u128(1)) }.into());
    let closed = EventData::json(
        "CaseClosed",
        &serde_json::from_slice::<serde_json::Value>(&closed.unwrap().data).unwrap(),
    );
    client.append_to_stream(name.clone(), &any(), closed.unwrap()).await.unwrap();
    assert_eq!(book.history(&customer).await.unwrap().len(), 2);

    let clear = serde_json::json!({
        "v": 1, "occurredAt": "1970-01-01T00:00:00Z", "actor": { "kind": "system", "name": "test" },
        "body": { "kind": "person", "name": "Ada" },
    });
    let clear = EventData::json("CustomerRegistered", &clear).unwrap();
    for refused in [event(1), clear, EventData::binary("CaseClosed", "x".into())] {
        client.append_to_stream(name.clone(), &any(), refused).await.unwrap_err();
    }
    client.delete_stream(name.clone(), &DeleteStreamOptions::default()).await.unwrap_err();
    let tombstone = TombstoneStreamOptions::default();
    client.tombstone_stream(name.clone(), &tombstone).await.unwrap_err();
    let cut = EventData::json("$metadata", &serde_json::json!({ "$tb": 1 })).unwrap();
    client.append_to_stream(format!("$${name}"), &any(), cut).await.unwrap_err();
    client.append_to_stream("$ce-customer", &any(), event(2)).await.unwrap_err();
    assert_eq!(book.history(&customer).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_pass_over_foreign_events_of_any_kind() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let book = Book::new(Arc::clone(&ledger), Arc::new(Vault::in_memory()));
    let server = Server::at(None, |drain| Endpoint::guarded(&book, None, drain)).await;
    let client = server.client();
    let strange = EventData::binary("CaseClosed", vec![0, 255, 7].into());
    let strange = strange.metadata(vec![1, 2, 3].into());
    client.append_to_stream("käse & co", &any(), strange).await.unwrap();
    client.append_to_stream("room-1", &any(), event(1)).await.unwrap();
    client.delete_stream("room-1", &DeleteStreamOptions::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let engine =
        Engine::start(Arc::clone(&ledger), directory.path(), Options::default()).await.unwrap();
    let head = ledger.head().await.unwrap();
    engine.at_least(head, &[], Duration::from_secs(30)).await.unwrap();
    let status = engine.status().await.unwrap();
    assert!(status.iter().all(|view| view.undecodable == 0 && view.position == head), "{status:?}");
    engine.shutdown().await;
}
