//! The ledger's own streams, and foreign events beside them.

use std::sync::Arc;
use std::time::Duration;

use cx_api::esdb::Endpoint;
use cx_ledger::{Book, Entry, Expected, Ledger, MemoryLedger, Vault};
use cx_model::event::{CaseClosed, CustomerRegistered, IdentifierClaimed, SubjectErased};
use cx_model::vocabulary::CustomerKind;
use cx_model::{
    Actor, CaseId, CustomerId, Envelope, Event, NewEvent, SealedValue, StreamName, encode,
};
use cx_projections::{Engine, Options};
use eventstore::{
    Client, DeleteStreamOptions, Error, EventData, ReadStreamOptions, TombstoneStreamOptions,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::server::{Server, any, event, is_invalid, tokens};

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
        let error = client.append_to_stream(name.clone(), &any(), refused).await.unwrap_err();
        assert!(is_invalid(&error), "{error:?}");
    }
    let tombstone = TombstoneStreamOptions::default();
    let cut = EventData::json("$metadata", &serde_json::json!({ "$tb": 1 })).unwrap();
    let denied = [
        client.delete_stream(name.clone(), &DeleteStreamOptions::default()).await.err(),
        client.tombstone_stream(name.clone(), &tombstone).await.err(),
        client.append_to_stream(format!("$${name}"), &any(), cut).await.err(),
        client.append_to_stream("$ce-customer", &any(), event(2)).await.err(),
    ];
    assert!(denied.iter().all(|e| matches!(e, Some(Error::AccessDenied))), "{denied:?}");
    assert_eq!(book.history(&customer).await.unwrap().len(), 2);
}

/// A book with an endpoint for `ada`, a writer, and `root`, an operator.
async fn guarded() -> (Book, Server, Client, Client) {
    let book = Book::new(Arc::new(MemoryLedger::new()), Arc::new(Vault::in_memory()));
    let tokens = tokens(&[("writer", "open", "ada"), ("operator", "all", "root")]);
    let server = Server::at(None, |drain| Endpoint::guarded(&book, Some(tokens), drain)).await;
    let (writer, operator) = (server.client_of("ada:open@"), server.client_of("root:all@"));
    (book, server, writer, operator)
}

/// An event as a client sends it, sealed by a vault for a place.
fn sealed(vault: &Vault, stream: &StreamName, id: u128, mut event: Event) -> EventData {
    let id = Uuid::from_u128(id);
    vault.seal_event(stream, id, &mut event).unwrap();
    let bytes = encode(&envelope(), &event).unwrap();
    let data: serde_json::Value = serde_json::from_slice(&bytes.data).unwrap();
    EventData::json(event.event_type(), &data).unwrap().id(id)
}

/// The same, its values changed after they were sealed.
fn forged(
    vault: &Vault,
    stream: &StreamName,
    id: u128,
    change: impl Fn(&mut SealedValue),
) -> EventData {
    let id = Uuid::from_u128(id);
    let mut event = ada();
    vault.seal_event(stream, id, &mut event).unwrap();
    event.personal(&mut |_, value| {
        let mut sealed = value.sealed().unwrap().clone();
        change(&mut sealed);
        value.seal(sealed);
    });
    let bytes = encode(&envelope(), &event).unwrap();
    let data: serde_json::Value = serde_json::from_slice(&bytes.data).unwrap();
    EventData::json(event.event_type(), &data).unwrap().id(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_of_the_sealed_form_is_taken_from_nobody() {
    let (book, _server, writer, operator) = guarded().await;
    let customer = CustomerId(Uuid::from_u128(7)).stream();
    // "Ada", where 32 bytes or a multiple of 64 with a tag should be.
    let clear = || "QWRh".to_owned();
    let changes: [fn(&mut SealedValue, String); 6] = [
        |sealed, _| sealed.v = 2,
        |sealed, _| sealed.alg = "Ada".into(),
        |sealed, _| sealed.key = "Ada".into(),
        |sealed, clear| sealed.salt = clear,
        |sealed, clear| sealed.commitment = clear,
        |sealed, clear| sealed.ciphertext = clear,
    ];
    for change in changes {
        for client in [&writer, &operator] {
            let event = forged(book.vault(), &customer, 1, |sealed| change(sealed, clear()));
            let error = client.append_to_stream(customer.as_str(), &any(), event).await;
            let error = error.unwrap_err();
            assert!(is_invalid(&error), "{error:?}");
        }
    }
    let event = forged(book.vault(), &customer, 1, |_| {});
    writer.append_to_stream(customer.as_str(), &any(), event).await.unwrap();
}

fn ada() -> Event {
    let name = Some("Ada".to_owned().into());
    CustomerRegistered { kind: CustomerKind::Person, name }.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_operator_says_what_a_ledger_says_and_others_seal_nothing() {
    let (book, _server, writer, operator) = guarded().await;
    let customer = CustomerId(Uuid::from_u128(7)).stream();
    let elsewhere = CustomerId(Uuid::from_u128(8)).stream();
    let identifier = book.vault().identifier_hash("crm", "1");
    let (here, other) = (book.vault(), Vault::in_memory());
    let erased = SubjectErased { reason: "request".into() };
    let claimed = IdentifierClaimed { customer: CustomerId(Uuid::from_u128(7)).into() };
    let claim = || sealed(&other, &identifier, 2, claimed.clone().into());
    let erase = || sealed(here, &customer, 1, erased.clone().into());
    let append = async |client: &Client, stream: &StreamName, event: EventData| {
        client.append_to_stream(stream.as_str(), &any(), event).await
    };
    for (stream, event) in [(&customer, erase()), (&identifier, claim())] {
        let error = append(&writer, stream, event).await.unwrap_err();
        assert!(matches!(error, Error::AccessDenied), "{error:?}");
    }
    // A key that was destroyed opens nothing either.
    let gone = CustomerId(Uuid::from_u128(9));
    let lost = sealed(here, &gone.stream(), 3, ada());
    here.destroy(gone).unwrap();
    let unfit = [sealed(&other, &customer, 3, ada()), sealed(here, &elsewhere, 3, ada()), lost];
    for event in unfit {
        let error = append(&writer, &customer, event).await.unwrap_err();
        assert!(is_invalid(&error), "{error:?}");
    }
    append(&writer, &customer, sealed(here, &customer, 3, ada())).await.unwrap();
    append(&operator, &customer, sealed(&other, &customer, 4, ada())).await.unwrap();
    append(&operator, &identifier, claim()).await.unwrap();
    append(&operator, &customer, erase()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_the_ledger_has_one_name_and_metadata_that_say_nothing_of_a_person() {
    let (book, _server, writer, operator) = guarded().await;
    let id = Uuid::from_u128(0xabc);
    let simple = id.simple().to_string();
    let aliases =
        [simple.clone(), id.to_string().to_uppercase(), format!("{{{id}}}"), id.urn().to_string()];
    let closed = |number| {
        let stream = CustomerId(id).stream();
        let event = CaseClosed { case: CaseId(id) }.into();
        sealed(book.vault(), &stream, number, event)
    };
    for (client, alias) in [&writer, &operator].into_iter().zip(aliases.iter().cycle()).take(8) {
        let stream = format!("customer-{alias}");
        let error = client.append_to_stream(stream, &any(), closed(1)).await.unwrap_err();
        assert!(is_invalid(&error), "{error:?}");
    }
    let stream = CustomerId(id).stream();
    let append = async |number, metadata: String| {
        let event = closed(number).metadata(metadata.into());
        writer.append_to_stream(stream.as_str(), &any(), event).await
    };
    for clear in [
        r#"{"by":"Ada"}"#,
        r#"{"$traceId":"Ada"}"#,
        r#"{"$correlationId":"Ada"}"#,
        r#"{"$spanId":{"by":"Ada"}}"#,
        "Ada",
    ] {
        let error = append(2, clear.to_owned()).await.unwrap_err();
        assert!(is_invalid(&error), "{clear}: {error:?}");
    }
    let connected = format!(
        r#"{{"$correlationId":"{id}","$traceId":"{simple}","$spanId":"00f067aa0ba902b7"}}"#
    );
    append(3, connected).await.unwrap();
    append(4, "{}".into()).await.unwrap();
    assert_eq!(book.history(&stream).await.unwrap().len(), 2);
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
