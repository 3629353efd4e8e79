//! Subscriptions end with their client or with an error that says what to do, never with OK.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::{choose_cryptography, listen_patiently};
use cx_api::serve::{Drain, Patience as ServerPatience};
use cx_ledger::MemoryLedger;
use eventstore::{
    DeletePersistentSubscriptionOptions, Error, NakAction, PersistentSubscription,
    PersistentSubscriptionEvent, PersistentSubscriptionOptions, StreamPosition,
    SubscribeToPersistentSubscriptionOptions,
};
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::raw::{call, field, open, request, whole};
use super::server::{Server, any, event};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_open_when_the_server_ends_is_told_so() {
    let server = Server::new().await;
    let client = server.client();
    client.append_to_stream("room-1", &any(), event(0)).await.unwrap();
    // Each ends with: no filter, on and on.
    let on = [field(6, &[]), field(8, &[])].concat();
    let all = field(1, &[field(2, &field(2, &[])), on.clone()].concat());
    let stream = [field(1, &field(3, b"room-1")), field(3, &[])].concat();
    let one = field(1, &[field(1, &stream), on].concat());
    let mut open_ones = Vec::new();
    for message in [all, one] {
        open_ones.push(open(server.address, "streams.Streams/Read", &[], &message).await);
    }
    let options = PersistentSubscriptionOptions::default();
    client.create_persistent_subscription("room-1", "desk", &options).await.unwrap();
    let options = SubscribeToPersistentSubscriptionOptions::default();
    let consumer = client.subscribe_to_persistent_subscription("room-1", "desk", &options).await;
    let mut consumer = consumer.unwrap();
    let ended = tokio::spawn(async move { consumer_end(&mut consumer).await });
    let stopped = tokio::spawn(server.stop());
    for answer in open_ones {
        let (status, trailers) = timeout(PATIENCE, whole(answer)).await.unwrap();
        assert_eq!(status, 200);
        assert_eq!(trailers["grpc-status"], "14", "{trailers:?}");
    }
    let error = timeout(PATIENCE, ended).await.unwrap().unwrap();
    let told = |text: &str| text.contains("Unavailable") && text.contains("subscribe again");
    assert!(matches!(&error, Error::ServerError(text) if told(text)), "{error:?}");
    drop(client);
    timeout(PATIENCE, stopped).await.unwrap().unwrap();
}

async fn consumer_end(consumer: &mut PersistentSubscription) -> Error {
    loop {
        if let Err(error) = consumer.next_subscription_event().await {
            return error;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_ends_with_its_group_or_when_it_stops_and_another_goes_on() {
    let server = Server::new().await;
    let client = server.client();
    let options = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start);
    client.create_persistent_subscription("room-1", "desk", &options).await.unwrap();
    client.append_to_stream("room-1", &any(), vec![event(0), event(1)]).await.unwrap();
    let subscribe = async || {
        let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(1);
        client.subscribe_to_persistent_subscription("room-1", "desk", &options).await.unwrap()
    };
    let next = async |consumer: &mut PersistentSubscription| loop {
        let told = timeout(PATIENCE, consumer.next_subscription_event()).await.unwrap().unwrap();
        if let PersistentSubscriptionEvent::EventAppeared { retry_count, event } = told {
            return (event.get_original_event().revision, retry_count, event);
        }
    };
    let is_dropped = |error: &Error| matches!(error, Error::IllegalStateError(text) if text.contains("has dropped"));
    let mut first = subscribe().await;
    let (revision, retries, event) = next(&mut first).await;
    assert_eq!((revision, retries), (0, 0));
    // The server decides: it tells it again.
    first.nack(&event, NakAction::Unknown, "who knows").await.unwrap();
    let (revision, retries, event) = next(&mut first).await;
    assert_eq!((revision, retries), (0, 1));
    first.nack(&event, NakAction::Stop, "enough").await.unwrap();
    let error = timeout(PATIENCE, consumer_end(&mut first)).await.unwrap();
    assert!(is_dropped(&error), "{error:?}");
    let mut second = subscribe().await;
    let (revision, retries, event) = next(&mut second).await;
    assert_eq!((revision, retries), (0, 1));
    second.ack(&event).await.unwrap();
    assert_eq!(next(&mut second).await.0, 1);
    let options = DeletePersistentSubscriptionOptions::default();
    client.delete_persistent_subscription("room-1", "desk", &options).await.unwrap();
    let error = timeout(PATIENCE, consumer_end(&mut second)).await.unwrap();
    assert!(is_dropped(&error), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_a_hundred_calls_open_and_the_next_waits_for_one_of_them() {
    let server = Server::new().await;
    let socket = TcpStream::connect(server.address).await.unwrap();
    let (asking, connection) =
        handshake::<_, _, Body>(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let on = [field(6, &[]), field(8, &[])].concat();
    let all = field(1, &[field(2, &field(2, &[])), on].concat());
    let subscribe = || {
        let request = request(server.address, "streams.Streams/Read", &[], &all);
        let mut asking = asking.clone();
        tokio::spawn(async move { asking.send_request(request).await.unwrap() })
    };
    let mut calls = Vec::new();
    for _ in 0..100 {
        calls.push(timeout(PATIENCE, subscribe()).await.unwrap().unwrap());
    }
    let next = subscribe();
    // So much time passes that it would have been answered, were it asked.
    for _ in 0..20 {
        call(server.address, "gossip.Gossip/Read", &[], &[]).await;
    }
    assert!(!next.is_finished());
    calls.pop();
    assert_eq!(timeout(PATIENCE, next).await.unwrap().unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_asks_for_nothing_leaves_its_place_to_another() {
    choose_cryptography();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::default();
    let endpoint = Endpoint::free(Arc::new(MemoryLedger::new()), None, drain.clone());
    let head = Duration::from_millis(200);
    let patience = ServerPatience { head, connections: 1, ..ServerPatience::default() };
    let serving = tokio::spawn(listen_patiently(endpoint, listener, None, patience));
    let socket = TcpStream::connect(address).await.unwrap();
    let (idle, connection) =
        handshake::<_, _, Body>(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    let connection = tokio::spawn(connection);
    let (status, _) =
        timeout(PATIENCE, call(address, "gossip.Gossip/Read", &[], &[])).await.unwrap();
    assert_eq!(status, 200);
    timeout(PATIENCE, connection).await.unwrap().unwrap().unwrap();
    assert!(idle.is_closed());
    drain.begin();
    serving.await.unwrap();
}
