//! Reading and subscribing.

use std::time::Duration;

use eventstore::{
    Client, Error, EventData, Position, ReadAllOptions, ReadStreamOptions, ResolvedEvent,
    StreamPosition, SubscribeToAllOptions, SubscribeToStreamOptions, SubscriptionEvent,
    SubscriptionFilter, TombstoneStreamOptions,
};
use tokio::time::timeout;
use uuid::Uuid;

use super::server::{Server, any, event};

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_all_are_read_both_ways() {
    let server = Server::new().await;
    let client = server.client();
    for stream in ["room-1", "room-2"] {
        let events: Vec<_> = (0..2000).map(event).collect();
        client.append_to_stream(stream, &any(), events).await.unwrap();
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
    let options = ReadAllOptions::default().backwards().position(StreamPosition::End);
    let mut read = client.read_all(&options.max_count(2)).await.unwrap();
    for revision in [1999, 1998] {
        let event = read.next().await.unwrap().unwrap();
        let event = event.get_original_event();
        assert_eq!((event.stream_id(), event.revision), ("room-2", revision));
    }
    assert!(read.next().await.unwrap().is_none());
    let mut missing = client.read_stream("nowhere", &ReadStreamOptions::default()).await.unwrap();
    let error = missing.next().await.unwrap_err();
    assert!(matches!(error, Error::ResourceNotFound), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_subscription_catches_up_and_goes_on_live() {
    let server = Server::new().await;
    let client = server.client();
    for number in 0..100 {
        let stream = format!("room-{}", number % 10);
        client.append_to_stream(stream, &any(), event(number)).await.unwrap();
    }
    let filter = SubscriptionFilter::on_stream_name().add_prefix("room-3");
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter);
    let mut subscription = client.subscribe_to_all(&options).await;
    let (mut events, mut checkpoints, mut live) = (0, 0, false);
    let listening = async {
        while events < 11 {
            match subscription.next_subscription_event().await.unwrap() {
                SubscriptionEvent::EventAppeared(event) => {
                    assert_eq!(event.get_original_stream_id(), "room-3");
                    events += 1;
                }
                SubscriptionEvent::Checkpoint(_) => checkpoints += 1,
                SubscriptionEvent::CaughtUp(..) => {
                    live = true;
                    client.append_to_stream("room-3", &any(), event(1000)).await.unwrap();
                }
                _ => {}
            }
        }
    };
    timeout(Duration::from_secs(20), listening).await.unwrap();
    assert!(live && checkpoints >= 4, "{checkpoints}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_followed_where_that_is_wished_and_one_that_leads_nowhere_is_told_alone() {
    let server = Server::new().await;
    let client = server.client();
    client.append_to_stream("room-1", &any(), vec![event(0), event(1)]).await.unwrap();
    client.append_to_stream("room-2", &any(), event(0)).await.unwrap();
    for target in ["1@room-1", "7@room-1", "0@room-2", "nowhere"] {
        let link = EventData::binary("$>", target.into());
        client.append_to_stream("links", &any(), link).await.unwrap();
    }
    client.tombstone_stream("room-2", &TombstoneStreamOptions::default()).await.unwrap();
    let target = |told: &ResolvedEvent| {
        let link = told.link.as_ref().map(|link| link.revision);
        (link, told.event.as_ref().map(|event| (event.stream_id().to_owned(), event.revision)))
    };
    let found = [
        (Some(0), Some(("room-1".to_owned(), 1))),
        (Some(1), None),
        (Some(2), None),
        (Some(3), None),
    ];
    let options = ReadStreamOptions::default().resolve_link_tos();
    let mut read = client.read_stream("links", &options).await.unwrap();
    for expected in &found {
        assert_eq!(target(&read.next().await.unwrap().unwrap()), *expected);
    }
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut followed = client.subscribe_to_stream("links", &options.resolve_link_tos()).await;
    for expected in &found {
        let told = timeout(Duration::from_secs(20), followed.next()).await.unwrap().unwrap();
        assert_eq!(target(&told), *expected);
    }
    let options = ReadAllOptions::default().resolve_link_tos();
    let mut read = client.read_all(&options).await.unwrap();
    let mut count = 0;
    while let Some(told) = read.next().await.unwrap() {
        count += usize::from(target(&told) == found[0]);
    }
    assert_eq!(count, 1);
    let mut read = client.read_stream("links", &ReadStreamOptions::default()).await.unwrap();
    let told = read.next().await.unwrap().unwrap();
    assert_eq!(told.get_original_event().event_type, "$>");
    assert!(told.link.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_subscription_says_when_and_after_what_it_caught_up() {
    let server = Server::new().await;
    let client = server.client();
    let appended =
        client.append_to_stream("room-1", &any(), vec![event(0), event(1)]).await.unwrap();
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut one = client.subscribe_to_stream("room-1", &options).await;
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start);
    let mut all = client.subscribe_to_all(&options).await;
    for (subscription, is_all) in [(&mut one, false), (&mut all, true)] {
        let live = async {
            loop {
                let told = subscription.next_subscription_event().await.unwrap();
                if let SubscriptionEvent::CaughtUp(live) = told {
                    break live.unwrap();
                }
            }
        };
        let live = timeout(Duration::from_secs(20), live).await.unwrap();
        assert!(live.date.timestamp() > 1_700_000_000);
        assert_eq!(live.stream_revision, (!is_all).then_some(1));
        assert_eq!(live.position, is_all.then_some(appended.position));
    }
}

/// The numbers of so many events after a position, and the position of the last.
async fn followed(
    client: &Client,
    after: StreamPosition<Position>,
    count: usize,
) -> (Vec<u64>, Position) {
    let filter = SubscriptionFilter::on_event_type().regex("^Count.*");
    let options = SubscribeToAllOptions::default().position(after).filter(filter);
    let mut subscription = client.subscribe_to_all(&options).await;
    let mut found = Vec::new();
    let mut last = Position { commit: 0, prepare: 0 };
    while found.len() < count {
        let event = timeout(Duration::from_secs(20), subscription.next()).await.unwrap().unwrap();
        let event = event.get_original_event();
        found.push(event.as_json::<serde_json::Value>().unwrap()["number"].as_u64().unwrap());
        last = event.position;
    }
    (found, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_goes_on_after_a_restart_without_gap_or_repeat() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::of_log(directory.path(), None).await;
    let client = server.client();
    for number in 0..5 {
        client.append_to_stream("room-1", &any(), event(number)).await.unwrap();
    }
    let (found, last) = followed(&client, StreamPosition::Start, 3).await;
    assert_eq!(found, [0, 1, 2]);
    let address = server.address;
    drop(client);
    server.stop().await;
    let server = Server::of_log(directory.path(), Some(address)).await;
    let client = server.client();
    client.append_to_stream("room-1", &any(), event(5)).await.unwrap();
    let (found, _) = followed(&client, StreamPosition::Position(last), 3).await;
    assert_eq!(found, [3, 4, 5]);
}
