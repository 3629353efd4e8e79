//! The event-store endpoint, as the official Rust client sees it over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::listen;
use cx_api::serve::Drain;
use cx_ledger::{Ledger, MemoryLedger};
use eventstore::{
    AppendToStreamOptions, Client, ClientSettings, EventData, ReadAllOptions, ReadStreamOptions,
    StreamPosition, StreamState, SubscribeToAllOptions, SubscriptionEvent, SubscriptionFilter,
};
use tokio::net::TcpListener;
use uuid::Uuid;

/// A server over a ledger, until it is dropped.
struct Server {
    address: SocketAddr,
    drain: Drain,
}

impl Server {
    async fn start(ledger: Arc<dyn Ledger>) -> Self {
        cx_api::esdb::listen::choose_cryptography();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = Drain::default();
        tokio::spawn(listen(Endpoint::free(ledger, None, drain.clone()), listener, None));
        Self { address, drain }
    }

    fn client(&self) -> Client {
        let settings: ClientSettings =
            format!("esdb://{}?tls=false", self.address).parse().unwrap();
        Client::new(settings).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.drain.begin();
    }
}

fn event(number: u64) -> EventData {
    let id = Uuid::from_u128(u128::from(number) + 1);
    EventData::json("Counted", &serde_json::json!({ "number": number })).unwrap().id(id)
}

fn expecting(state: StreamState) -> AppendToStreamOptions {
    AppendToStreamOptions::default().stream_state(state)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expectation_is_kept_and_a_repeat_is_a_success() {
    let server = Server::start(Arc::new(MemoryLedger::new())).await;
    let client = server.client();
    let append = |expected, number| {
        let client = client.clone();
        async move { client.append_to_stream("room-1", &expecting(expected), event(number)).await }
    };
    let wrong = append(StreamState::StreamExists, 0).await.unwrap_err();
    assert!(matches!(wrong, eventstore::Error::WrongExpectedVersion { .. }), "{wrong:?}");
    let first = append(StreamState::NoStream, 0).await.unwrap();
    assert_eq!(first.next_expected_version, 0);
    let again = append(StreamState::NoStream, 0).await.unwrap();
    assert_eq!((again.next_expected_version, again.position), (0, first.position));
    let wrong = append(StreamState::NoStream, 1).await.unwrap_err();
    match wrong {
        eventstore::Error::WrongExpectedVersion { expected, current } => {
            assert_eq!(expected, StreamState::NoStream);
            assert_eq!(current, eventstore::CurrentRevision::Current(0));
        }
        other => panic!("{other:?}"),
    }
    append(StreamState::StreamRevision(0), 1).await.unwrap();
    append(StreamState::StreamRevision(0), 2).await.unwrap_err();
    append(StreamState::Any, 2).await.unwrap();
    append(StreamState::StreamExists, 3).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_all_are_read_both_ways() {
    let server = Server::start(Arc::new(MemoryLedger::new())).await;
    let client = server.client();
    for stream in ["room-1", "room-2"] {
        let events: Vec<_> = (0..2000).map(event).collect();
        client.append_to_stream(stream, &AppendToStreamOptions::default(), events).await.unwrap();
    }
    let mut read = client.read_stream("room-1", &ReadStreamOptions::default()).await.unwrap();
    let mut count = 0;
    while let Some(event) = read.next().await.unwrap() {
        let event = event.get_original_event();
        assert_eq!(event.revision, count);
        assert_eq!(event.id, Uuid::from_u128(u128::from(count) + 1));
        count += 1;
    }
    assert_eq!(count, 2000);
    let options = ReadStreamOptions::default().backwards().position(StreamPosition::End);
    let mut read = client.read_stream("room-1", &options.max_count(3)).await.unwrap();
    for revision in [1999, 1998, 1997] {
        let event = read.next().await.unwrap().unwrap();
        assert_eq!(event.get_original_event().revision, revision);
    }
    assert!(read.next().await.unwrap().is_none());
    let mut read = client.read_all(&ReadAllOptions::default()).await.unwrap();
    let mut count = 0;
    while read.next().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 4000);
    let mut missing = client.read_stream("nowhere", &ReadStreamOptions::default()).await.unwrap();
    let error = missing.next().await.unwrap_err();
    assert!(matches!(error, eventstore::Error::ResourceNotFound), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_subscription_catches_up_and_goes_on_live() {
    let server = Server::start(Arc::new(MemoryLedger::new())).await;
    let client = server.client();
    for number in 0..100 {
        let stream = format!("room-{}", number % 10);
        let options = AppendToStreamOptions::default();
        client.append_to_stream(stream, &options, event(number)).await.unwrap();
    }
    let filter = SubscriptionFilter::on_stream_name().add_prefix("room-3");
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter);
    let mut subscription = client.subscribe_to_all(&options).await;
    let (mut events, mut checkpoints, mut live) = (0, 0, false);
    let listening = async {
        loop {
            match subscription.next_subscription_event().await.unwrap() {
                SubscriptionEvent::EventAppeared(event) => {
                    assert_eq!(event.get_original_stream_id(), "room-3");
                    events += 1;
                }
                SubscriptionEvent::Checkpoint(_) => checkpoints += 1,
                SubscriptionEvent::CaughtUp(..) => {
                    live = true;
                    let options = AppendToStreamOptions::default();
                    client.append_to_stream("room-3", &options, event(1000)).await.unwrap();
                }
                _ => {}
            }
            if events == 11 {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), listening).await.unwrap();
    assert!(live && checkpoints >= 4, "{checkpoints}");
}
