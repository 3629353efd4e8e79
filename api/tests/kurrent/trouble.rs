//! One trouble at a time: dead nodes, ended subscriptions, missing history, wrong passwords.

use std::sync::Arc;
use std::time::Duration;

use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::listen;
use cx_api::serve::Drain;
use cx_ledger::kurrent::Patience;
use cx_ledger::trace::Trace;
use cx_ledger::{
    Append, AppendError, Direction, Expected, Health, KurrentLedger, KurrentSettings, Ledger,
    MemoryLedger, RawNewEvent, ReadError,
};
use cx_model::{Position, StreamName};
use eventstore::{
    AppendToStreamOptions, Client, ClientSettings, EventData, PersistentSubscriptionOptions,
    StreamMetadataBuilder,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use super::proxy::{Proxy, Weather};
use super::server::{Server, ledger_at, tokens};

/// How soon all is well after a fault.
const SOON: Duration = Duration::from_secs(2);

fn stream() -> StreamName {
    StreamName::of("case", Uuid::from_u128(5))
}

/// An append of one event.
pub fn one(n: u64) -> Append {
    let event = RawNewEvent {
        id: Uuid::from_u128(u128::from(n) + 1),
        event_type: "Counted".into(),
        data: format!(r#"{{"n":{n}}}"#).into(),
        metadata: "{}".into(),
    };
    Append { stream: stream(), expected: Expected::Any, events: vec![event] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_connected_one_of_three_seeds_dies_another_is_asked() {
    let stored: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let mut servers: Vec<_> = (0..3).map(|_| Server::start(Arc::clone(&stored))).collect();
    let seeds: Vec<_> = servers.iter().map(|server| server.address).collect();
    let ledger = ledger_at(&seeds).await;
    let mut follow = ledger.follow(Position::START);
    // Two of the three die one after the other, so the connected one dies at least once.
    for n in 0..3 {
        let well = async {
            let appended = ledger.append(one(n)).await.unwrap();
            assert_eq!((appended.revision, appended.repeated), (Some(n), false));
            let told = follow.next(10).await.unwrap();
            assert_eq!((told.len(), told[0].revision, told[0].ordinal), (1, n, n + 1));
        };
        timeout(SOON, well).await.expect("another node is asked soon");
        servers.pop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_waits_for_an_event_store_that_is_not_there_yet() {
    let stored: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let gone = Server::start(Arc::clone(&stored));
    let address = gone.address;
    drop(gone);
    let connecting = tokio::spawn(async move { ledger_at(&[address]).await });
    tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(300)).await;
    let _server = Server::start_at(stored, address);
    let ledger = timeout(SOON, connecting).await.unwrap().unwrap();
    assert_eq!(ledger.append(one(0)).await.unwrap().revision, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_ends_well_goes_on_with_the_same_client() {
    let (end, ends) = watch::channel(0);
    let server = Server::start_ending(Arc::new(MemoryLedger::new()), ends);
    let ledger = ledger_at(&[server.address]).await;
    let mut follow = ledger.follow(Position::START);
    // More often than there are threads that a spinning client could take.
    for n in 0..8 {
        ledger.append(one(n)).await.unwrap();
        let told = timeout(SOON, follow.next(10)).await.unwrap().unwrap();
        assert_eq!((told.len(), told[0].revision), (1, n));
        end.send_modify(|count| *count += 1);
    }
    assert_eq!(ledger.clients_built(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_falls_silent_is_made_again_while_the_connection_stays() {
    let (fall, falls) = watch::channel(0);
    let server = Server::start_silencing(Arc::new(MemoryLedger::new()), falls);
    let ledger = ledger_at(&[server.address]).await;
    let mut follow = ledger.follow(Position::START);
    for n in 0..3 {
        ledger.append(one(n)).await.unwrap();
        let told = timeout(SOON, follow.next(10)).await.unwrap().unwrap();
        assert_eq!((told.len(), told[0].revision), (1, n));
        fall.send_modify(|count| *count += 1);
    }
    assert_eq!(ledger.clients_built(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_in_time_where_nothing_is_answered() {
    let server = Server::start(Arc::new(MemoryLedger::new()));
    let proxy = Proxy::start(server.address).await;
    let settings = KurrentSettings::parse(&format!("esdb://{}?tls=false", proxy.address)).unwrap();
    let call = Duration::from_millis(500);
    let settings = settings.with_patience(Patience { call, ..Patience::default() });
    let ledger = KurrentLedger::connect(settings).await.unwrap();
    proxy.let_be(Weather::Swallow);
    let (start, stream, forwards) = (Position::START, stream(), Direction::Forwards);
    let (appended, many, read, all, head, at) = tokio::join!(
        timeout(SOON, ledger.append(one(0))),
        timeout(SOON, ledger.append_many(vec![one(1)])),
        timeout(SOON, ledger.read_stream(&stream, 0, forwards, 1)),
        timeout(SOON, ledger.read_all(start, forwards, 1)),
        timeout(SOON, ledger.head()),
        timeout(SOON, ledger.position_at(jiff::Timestamp::now())),
    );
    assert!(matches!(appended.unwrap(), Err(AppendError::Timeout)));
    assert!(matches!(many.unwrap(), Err(AppendError::Timeout)));
    assert!(matches!(read.unwrap(), Err(ReadError::Timeout)));
    assert!(matches!(all.unwrap(), Err(ReadError::Timeout)));
    assert!(matches!(head.unwrap(), Err(ReadError::Timeout)));
    assert!(matches!(at.unwrap(), Err(ReadError::Timeout)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_and_what_an_event_store_writes_of_itself_are_no_events_of_the_ledger() {
    let server = Server::start(Arc::new(MemoryLedger::new()));
    let ledger = server.ledger().await;
    let mut follow = ledger.follow(Position::START);
    ledger.append(one(0)).await.unwrap();
    let settings: ClientSettings = format!("esdb://{}?tls=false", server.address).parse().unwrap();
    let others = Client::new(settings).unwrap();
    let options = AppendToStreamOptions::default();
    let link = EventData::binary("$>", format!("0@{}", stream()).into());
    others.append_to_stream("by-type", &options, link).await.unwrap();
    let metadata = StreamMetadataBuilder::new().max_count(9).build();
    others.set_stream_metadata("by-type", &options, &metadata).await.unwrap();
    let group = PersistentSubscriptionOptions::default();
    others.create_persistent_subscription("by-type", "group", &group).await.unwrap();
    ledger.append(one(1)).await.unwrap();
    let mut told = Vec::new();
    while told.len() < 2 {
        told.extend(timeout(SOON, follow.next(10)).await.unwrap().unwrap());
    }
    let read = ledger.read_all(Position::START, Direction::Forwards, 99).await.unwrap();
    assert_eq!(told, read);
    let back = ledger.read_all(Position::new(u64::MAX), Direction::Backwards, 99).await.unwrap();
    for (n, event) in back.iter().rev().enumerate() {
        assert_eq!((event.revision, event.ordinal), (n as u64, n as u64 + 1));
        assert_eq!(event, &read[n]);
    }
    assert_eq!(back.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_answer_is_lost_is_made_once() {
    let server = Server::start(Arc::new(MemoryLedger::new()));
    let proxy = Proxy::start(server.address).await;
    let ledger = ledger_at(&[proxy.address]).await;
    ledger.append(one(0)).await.unwrap();
    for n in 1..20 {
        // The question goes through, its answer does not.
        proxy.let_be(Weather::Cut(1));
        let appending = ledger.append(one(n));
        let fair = async {
            tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(20)).await;
            proxy.let_be(Weather::Fair);
        };
        let (appended, ()) = tokio::join!(appending, fair);
        let appended = appended.unwrap();
        assert_eq!((appended.revision, appended.repeated), (Some(n), false));
    }
    let again = ledger.append(one(3)).await.unwrap();
    assert_eq!((again.revision, again.repeated), (Some(3), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_shows_in_the_health_and_ends_with_it() {
    let stored: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let server = Server::start(Arc::clone(&stored));
    let address = server.address;
    let ledger = ledger_at(&[address]).await;
    assert_eq!(ledger.health(), Health::Writable);
    drop(server);
    let appending = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.append(one(0)).await }
    });
    let ill = async {
        while ledger.health() == Health::Writable {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), ill).await.unwrap();
    let _server = Server::start_at(stored, address);
    timeout(SOON, appending).await.unwrap().unwrap().unwrap();
    assert_eq!(ledger.health(), Health::Writable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_that_is_gone_is_reported_and_not_read_over() {
    let server = Server::start(Arc::new(MemoryLedger::new()));
    let ledger = server.ledger().await;
    for n in 0..5 {
        ledger.append(one(n)).await.unwrap();
    }
    let settings: ClientSettings = format!("esdb://{}?tls=false", server.address).parse().unwrap();
    let operator = Client::new(settings).unwrap();
    let metadata = StreamMetadataBuilder::new().max_count(2).build();
    let options = AppendToStreamOptions::default();
    operator.set_stream_metadata(stream().as_str(), &options, &metadata).await.unwrap();
    for (direction, from) in [(Direction::Forwards, 0), (Direction::Backwards, u64::MAX)] {
        let read = ledger.read_stream(&stream(), from, direction, 10).await;
        assert!(matches!(read, Err(ReadError::Truncated { .. })), "{read:?}");
    }
    assert_eq!(ledger.read_stream(&stream(), 3, Direction::Forwards, 9).await.unwrap().len(), 2);
    // What limits a stream is not an event of the ledger, and is told to the operator.
    assert_eq!(ledger.read_all(Position::START, Direction::Forwards, 99).await.unwrap().len(), 5);
    let findings = ledger.findings();
    assert!(findings.len() == 1 && findings[0].contains("$maxCount"), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_and_a_right_one_is_not_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tokens = tokens("ada", "secret");
    let endpoint = Endpoint::free(Arc::new(MemoryLedger::new()), Some(tokens), Drain::default());
    tokio::spawn(listen(endpoint, listener, None));
    let settings = |password: &str| {
        let settings = KurrentSettings::parse(&format!("esdb://{address}?tls=false")).unwrap();
        settings.with_user("ada", password)
    };
    let error = KurrentLedger::connect(settings("wrong")).await.unwrap_err();
    assert!(error.to_string().contains("access denied"), "{error}");
    let ledger = KurrentLedger::connect(settings("secret")).await.unwrap();
    ledger.append(one(0)).await.unwrap();
    let mut follow = ledger.follow(Position::START);
    assert_eq!(follow.next(1).await.unwrap().len(), 1);
    assert!(!format!("{ledger:?} {:?}", settings("secret")).contains("secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_in_a_trace_names_it_in_the_metadata() {
    let server = Server::start(Arc::new(MemoryLedger::new()));
    let ledger = server.ledger().await;
    let trace = Trace::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    trace.scope(ledger.append(one(0))).await.unwrap();
    let read = ledger.read_stream(&stream(), 0, Direction::Forwards, 1).await.unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&read[0].metadata).unwrap();
    assert_eq!(metadata["$traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(metadata["$spanId"], "b7ad6b7169203331");
}
