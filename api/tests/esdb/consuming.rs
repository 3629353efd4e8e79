//! Persistent subscriptions.

use std::collections::BTreeSet;
use std::time::Duration;

use eventstore::{
    Client, DeleteStreamOptions, Error, GetPersistentSubscriptionInfoOptions,
    ListPersistentSubscriptionsOptions, NakAction, PersistentSubscription,
    PersistentSubscriptionEvent, PersistentSubscriptionOptions, PersistentSubscriptionStats,
    ReplayParkedMessagesOptions, StreamMetadata, StreamPosition,
    SubscribeToPersistentSubscriptionOptions,
};
use tokio::time::timeout;

use super::server::{Server, any, event};

async fn subscribe(client: &Client) -> PersistentSubscription {
    client
        .subscribe_to_persistent_subscription(
            "room-1",
            "desk",
            &SubscribeToPersistentSubscriptionOptions::default(),
        )
        .await
        .unwrap()
}

/// The next event and how often it was told before.
async fn next(subscription: &mut PersistentSubscription) -> (eventstore::ResolvedEvent, usize) {
    loop {
        let told = timeout(Duration::from_secs(20), subscription.next_subscription_event()).await;
        if let PersistentSubscriptionEvent::EventAppeared { event, retry_count } =
            told.unwrap().unwrap()
        {
            return (event, retry_count);
        }
    }
}

async fn stats(client: &Client) -> PersistentSubscriptionStats {
    let options = GetPersistentSubscriptionInfoOptions::default();
    let info = client.get_persistent_subscription_info("room-1", "desk", &options).await;
    info.unwrap().stats
}

/// How many events are parked, once there is one.
async fn parked(client: &Client) -> usize {
    for _ in 0..200 {
        let stats = stats(client).await;
        if stats.parked_message_count > 0 {
            return stats.parked_message_count;
        }
    }
    0
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_retried_skipped_parked_and_replayed() {
    let server = Server::new().await;
    let client = server.client();
    let options = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start);
    client.create_persistent_subscription("room-1", "desk", &options).await.unwrap();
    let error =
        client.create_persistent_subscription("room-1", "desk", &options).await.unwrap_err();
    assert!(matches!(error, Error::ResourceAlreadyExists), "{error:?}");
    client.append_to_stream("room-1", &any(), (0..4).map(event).collect::<Vec<_>>()).await.unwrap();
    let mut subscription = subscribe(&client).await;
    let mut open = BTreeSet::from([0, 1, 2, 3]);
    while !open.is_empty() {
        let (event, retries) = next(&mut subscription).await;
        let revision = event.get_original_event().revision;
        let action = match revision {
            1 if retries == 0 => Some(NakAction::Retry),
            2 => Some(NakAction::Park),
            3 => Some(NakAction::Skip),
            _ => None,
        };
        let again = action == Some(NakAction::Retry);
        match action {
            Some(action) => subscription.nack(&event, action, "because").await.unwrap(),
            None => subscription.ack(&event).await.unwrap(),
        }
        if !again {
            open.remove(&revision);
        }
    }
    assert_eq!(parked(&client).await, 1);
    let options = ReplayParkedMessagesOptions::default();
    client.replay_parked_messages("room-1", "desk", &options).await.unwrap();
    let (event, _) = next(&mut subscription).await;
    assert_eq!(event.get_original_event().revision, 2);
    subscription.ack(&event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_in_time_is_told_again_and_then_parked() {
    let server = Server::new().await;
    let client = server.client();
    let options = PersistentSubscriptionOptions::default()
        .start_from(StreamPosition::Start)
        .message_timeout(Duration::from_millis(100))
        .max_retry_count(1);
    client.create_persistent_subscription("room-1", "desk", &options).await.unwrap();
    client.append_to_stream("room-1", &any(), event(0)).await.unwrap();
    let mut subscription = subscribe(&client).await;
    assert_eq!(next(&mut subscription).await.1, 0);
    assert_eq!(next(&mut subscription).await.1, 1);
    let waiting = async { while parked(&client).await == 0 {} };
    timeout(Duration::from_secs(20), waiting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_told_nothing_of_what_its_stream_lost() {
    let server = Server::new().await;
    let client = server.client();
    let options = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start);
    client.create_persistent_subscription("room-1", "desk", &options).await.unwrap();
    client.append_to_stream("room-1", &any(), vec![event(0), event(1)]).await.unwrap();
    client.delete_stream("room-1", &DeleteStreamOptions::default()).await.unwrap();
    client.append_to_stream("room-1", &any(), (2..6).map(event).collect::<Vec<_>>()).await.unwrap();
    let mut subscription = subscribe(&client).await;
    assert_eq!(next(&mut subscription).await.0.get_original_event().revision, 2);
    drop(subscription);
    let kept = StreamMetadata::builder().max_count(1).build();
    client.set_stream_metadata("room-1", &any(), &kept).await.unwrap();
    let options = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start);
    client.create_persistent_subscription("room-1", "other", &options).await.unwrap();
    let options = ListPersistentSubscriptionsOptions::default();
    let listed = client.list_persistent_subscriptions_for_stream("room-1", &options).await.unwrap();
    let mut names: Vec<_> = listed.iter().map(|group| group.group_name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["desk", "other"]);
    let options = SubscribeToPersistentSubscriptionOptions::default();
    let other = client.subscribe_to_persistent_subscription("room-1", "other", &options).await;
    assert_eq!(next(&mut other.unwrap()).await.0.get_original_event().revision, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_on_after_a_restart_and_takes_so_many_consumers() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::of_log(directory.path(), None).await;
    let client = server.client();
    let options = PersistentSubscriptionOptions::default()
        .start_from(StreamPosition::Start)
        .checkpoint_lower_bound(1)
        .max_subscriber_count(1);
    client.create_persistent_subscription("room-1", "desk", &options).await.unwrap();
    client.append_to_stream("room-1", &any(), vec![event(0), event(1)]).await.unwrap();
    let mut subscription = subscribe(&client).await;
    for revision in [0, 1] {
        let (event, _) = next(&mut subscription).await;
        assert_eq!(event.get_original_event().revision, revision);
        if revision == 0 {
            subscription.ack(&event).await.unwrap();
        }
    }
    let second = client
        .subscribe_to_persistent_subscription(
            "room-1",
            "desk",
            &SubscribeToPersistentSubscriptionOptions::default(),
        )
        .await;
    let error = second.err();
    assert!(
        matches!(error, Some(Error::Grpc { code: tonic::Code::FailedPrecondition, .. })),
        "{error:?}"
    );
    // The acknowledgement was heard once the group says that one event is open.
    let heard = async { while stats(&client).await.outstanding_messages_count != 1 {} };
    timeout(Duration::from_secs(20), heard).await.unwrap();
    let address = server.address;
    drop((client, subscription));
    server.stop().await;
    let server = Server::of_log(directory.path(), Some(address)).await;
    let client = server.client();
    let mut subscription = subscribe(&client).await;
    let (event, _) = next(&mut subscription).await;
    assert_eq!(event.get_original_event().revision, 1);
}
