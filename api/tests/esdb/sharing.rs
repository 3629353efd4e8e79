//! Who of several consumers gets an event.

use std::collections::BTreeSet;
use std::time::Duration;

use eventstore::{
    Client, DeletePersistentSubscriptionOptions, PersistentSubscription,
    PersistentSubscriptionEvent, PersistentSubscriptionToAllOptions, StreamPosition,
    SubscribeToPersistentSubscriptionOptions, SubscriptionFilter, SystemConsumerStrategy,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::server::{Server, any, event};

const PATIENCE: Duration = Duration::from_secs(30);

async fn join(client: &Client, slots: usize) -> PersistentSubscription {
    let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(slots);
    client.subscribe_to_persistent_subscription_to_all("desk", &options).await.unwrap()
}

/// The streams of two events each of `streams` streams, as each of two consumers gets them.
async fn shares(
    client: &Client,
    strategy: SystemConsumerStrategy,
    streams: usize,
) -> [Vec<String>; 2] {
    let filter = SubscriptionFilter::on_stream_name().add_prefix("room-");
    let options = PersistentSubscriptionToAllOptions::default()
        .start_from(StreamPosition::End)
        .filter(filter)
        .consumer_strategy_name(strategy);
    client.create_persistent_subscription_to_all("desk", &options).await.unwrap();
    let (sender, mut told) = mpsc::unbounded_channel();
    let mut consumers = Vec::new();
    for number in 0..2 {
        let (mut consumer, sender) = (join(client, 2 * streams + 1).await, sender.clone());
        consumers.push(tokio::spawn(async move {
            while let Ok(told) = consumer.next_subscription_event().await {
                if let PersistentSubscriptionEvent::EventAppeared { event, .. } = told {
                    consumer.ack(&event).await.unwrap();
                    let stream = event.get_original_stream_id().to_owned();
                    sender.send((number, stream)).unwrap();
                }
            }
        }));
    }
    for number in 0..streams {
        let events = vec![event(0), event(1)];
        client.append_to_stream(format!("room-{number}"), &any(), events).await.unwrap();
    }
    let mut shares = [Vec::new(), Vec::new()];
    for _ in 0..2 * streams {
        let (number, stream) = timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
        shares[number as usize].push(stream);
    }
    let options = DeletePersistentSubscriptionOptions::default();
    client.delete_persistent_subscription_to_all("desk", &options).await.unwrap();
    for consumer in consumers {
        timeout(PATIENCE, consumer).await.unwrap().unwrap();
    }
    shares
}

async fn fresh() -> (Server, Client) {
    let server = Server::new().await;
    let client = server.client();
    (server, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_strategy_gives_events_to_whom_it_says() {
    let (_server, client) = fresh().await;
    let [first, second] = shares(&client, SystemConsumerStrategy::RoundRobin, 5).await;
    assert_eq!((first.len(), second.len()), (5, 5));

    let (_server, client) = fresh().await;
    let [first, second] = shares(&client, SystemConsumerStrategy::DispatchToSingle, 5).await;
    assert_eq!(first.len().max(second.len()), 10);

    let (_server, client) = fresh().await;
    let [first, second] = shares(&client, SystemConsumerStrategy::Pinned, 20).await;
    let [first, second] = [first, second].map(BTreeSet::from_iter);
    assert!(!first.is_empty() && !second.is_empty() && first.is_disjoint(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_consumer_that_is_full_leaves_the_rest_to_the_next() {
    let (_server, client) = fresh().await;
    let options = PersistentSubscriptionToAllOptions::default()
        .start_from(StreamPosition::Start)
        .filter(SubscriptionFilter::on_event_type().add_prefix("Counted"))
        .consumer_strategy_name(SystemConsumerStrategy::DispatchToSingle);
    client.create_persistent_subscription_to_all("desk", &options).await.unwrap();
    let (mut first, mut second) = (join(&client, 2).await, join(&client, 2).await);
    let events: Vec<_> = (0..4).map(event).collect();
    client.append_to_stream("room-1", &any(), events).await.unwrap();
    let mut found = Vec::new();
    for consumer in [&mut first, &mut second] {
        for _ in 0..2 {
            let event = timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
            found.push(event.get_original_event().revision);
        }
    }
    assert_eq!(found, [0, 1, 2, 3]);
}
