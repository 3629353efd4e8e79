//! What a client makes the server hold is bounded in bytes, not in events.

use std::sync::Arc;
use std::time::Duration;

use eventstore::{
    Client, EventData, GetPersistentSubscriptionInfoOptions, NakAction, PersistentSubscription,
    PersistentSubscriptionEvent, PersistentSubscriptionOptions, PersistentSubscriptionStats,
    ReadAllOptions, ReadStream, ReadStreamOptions, ReplayParkedMessagesOptions, ResolvedEvent,
    StreamPosition, SubscribeToPersistentSubscriptionOptions, SubscribeToStreamOptions,
};
use tokio::time::timeout;

use super::server::{Server, any, event};
use super::tripping::Tripping;

const PATIENCE: Duration = Duration::from_mins(1);
const MEBIBYTE: usize = 1 << 20;

fn large(mebibytes: usize) -> EventData {
    EventData::binary("Large", vec![7; mebibytes * MEBIBYTE].into())
}

async fn count(mut read: ReadStream) -> usize {
    let mut count = 0;
    while read.next().await.unwrap().is_some() {
        count += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_large_events_takes_few_at_a_time_after_however_many_small_ones() {
    let ledger = Tripping::default();
    let server = Server::over(Arc::new(ledger.clone())).await;
    let client = server.client();
    for end in 0..3 {
        let small: Vec<_> = (end * 500..(end + 1) * 500).map(event).collect();
        client.append_to_stream("room-1", &any(), small).await.unwrap();
        if end < 2 {
            let large: Vec<_> = (0..12).map(|_| large(1)).collect();
            client.append_to_stream("room-1", &any(), large).await.unwrap();
        }
    }
    let all = 3 * 500 + 2 * 12;
    let forwards = ReadStreamOptions::default();
    assert_eq!(count(client.read_stream("room-1", &forwards).await.unwrap()).await, all);
    let backwards = ReadStreamOptions::default().backwards().position(StreamPosition::End);
    assert_eq!(count(client.read_stream("room-1", &backwards).await.unwrap()).await, all);
    let forwards = ReadAllOptions::default();
    assert_eq!(count(client.read_all(&forwards).await.unwrap()).await, all);
    let backwards = ReadAllOptions::default().backwards().position(StreamPosition::End);
    assert_eq!(count(client.read_all(&backwards).await.unwrap()).await, all);
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut subscription = client.subscribe_to_stream("room-1", &options).await;
    for _ in 0..all {
        timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
    }
    let largest = ledger.largest_read();
    assert!((4 * MEBIBYTE..5 * MEBIBYTE + 100_000).contains(&largest), "{largest}");
}

async fn subscribe(client: &Client) -> PersistentSubscription {
    let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(100);
    client.subscribe_to_persistent_subscription("room-1", "desk", &options).await.unwrap()
}

async fn next(subscription: &mut PersistentSubscription) -> ResolvedEvent {
    loop {
        let told = timeout(PATIENCE, subscription.next_subscription_event()).await.unwrap();
        if let PersistentSubscriptionEvent::EventAppeared { event, .. } = told.unwrap() {
            return event;
        }
    }
}

async fn until(client: &Client, so: impl Fn(&PersistentSubscriptionStats) -> bool) {
    let options = GetPersistentSubscriptionInfoOptions::default();
    let waiting = async {
        loop {
            let info = client.get_persistent_subscription_info("room-1", "desk", &options).await;
            let stats = info.unwrap().stats;
            assert!(stats.total_in_flight_messages <= 8, "{stats:?}");
            assert!(stats.retry_buffer_count <= 9, "{stats:?}");
            if so(&stats) {
                break;
            }
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_holds_so_many_bytes_and_parked_events_are_told_again_in_steps() {
    let server = Server::new().await;
    let client = server.client();
    let options = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start);
    client.create_persistent_subscription("room-1", "desk", &options).await.unwrap();
    for _ in 0..20 {
        client.append_to_stream("room-1", &any(), large(4)).await.unwrap();
    }
    // Its buffer would take 100 events; 32 MiB are 8 of them.
    let mut subscription = subscribe(&client).await;
    until(&client, |stats| stats.total_in_flight_messages == 8).await;
    for _ in 0..20 {
        let event = next(&mut subscription).await;
        subscription.nack(&event, NakAction::Park, "later").await.unwrap();
    }
    until(&client, |stats| stats.parked_message_count == 20).await;
    let options = ReplayParkedMessagesOptions::default();
    client.replay_parked_messages("room-1", "desk", &options).await.unwrap();
    until(&client, |stats| stats.parked_message_count == 0).await;
    for revision in 0..20 {
        let event = next(&mut subscription).await;
        assert_eq!(event.get_original_event().revision, revision);
        subscription.ack(&event).await.unwrap();
    }
}
