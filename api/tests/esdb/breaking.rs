//! What happens when the ledger fails a read, or takes its time, in the middle of something.

use std::sync::Arc;
use std::time::Duration;

use eventstore::{
    DeletePersistentSubscriptionOptions, Error, EventData, GetPersistentSubscriptionInfoOptions,
    PersistentSubscriptionEvent, PersistentSubscriptionOptions, StreamPosition,
    SubscribeToPersistentSubscriptionOptions, SubscribeToStreamOptions, SubscriptionEvent,
    TombstoneStreamOptions,
};
use tokio::time::timeout;

use super::server::{Server, any, event};
use super::tripping::Tripping;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_target_cannot_be_read_is_told_later_and_not_passed_by() {
    let ledger = Tripping::default();
    let server = Server::over(Arc::new(ledger.clone())).await;
    let client = server.client();
    for (stream, target) in [("room-1", "0@room-1"), ("room-2", "0@room-2"), ("room-1", "1@room-1")]
    {
        client
            .append_to_stream(stream, &any(), EventData::binary("Told", "x".into()))
            .await
            .unwrap();
        let link = EventData::binary("$>", target.into());
        client.append_to_stream("links", &any(), link).await.unwrap();
    }
    let options = PersistentSubscriptionOptions::default()
        .resolve_link_tos(true)
        .start_from(StreamPosition::Start);
    client.create_persistent_subscription("links", "desk", &options).await.unwrap();
    ledger.fail("room-2", true);
    let subscribe = async || {
        let options = SubscribeToPersistentSubscriptionOptions::default();
        client.subscribe_to_persistent_subscription("links", "desk", &options).await.unwrap()
    };
    let mut subscription = subscribe().await;
    let failed = timeout(PATIENCE, async {
        loop {
            if let Err(error) = subscription.next_subscription_event().await {
                break error;
            }
        }
    });
    let failed = failed.await.unwrap();
    assert!(matches!(failed, Error::ServerError(_)), "{failed:?}");
    ledger.fail("room-2", false);
    let mut subscription = subscribe().await;
    let mut found = Vec::new();
    while found.len() < 3 {
        let told = timeout(PATIENCE, subscription.next_subscription_event()).await.unwrap();
        if let PersistentSubscriptionEvent::EventAppeared { event, .. } = told.unwrap() {
            let told = event.event.as_ref().unwrap();
            found.push(format!("{}@{}", told.revision, told.stream_id()));
            subscription.ack(&event).await.unwrap();
        }
    }
    assert_eq!(found, ["0@room-1", "0@room-2", "1@room-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_tells_what_came_before_a_tombstone_and_then_of_the_tombstone() {
    let ledger = Tripping::default();
    let server = Server::over(Arc::new(ledger.clone())).await;
    let client = server.client();
    client.append_to_stream("room-1", &any(), vec![event(0), event(1)]).await.unwrap();
    ledger.hold("room-1");
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut subscription = client.subscribe_to_stream("room-1", &options).await;
    let confirmed = timeout(PATIENCE, subscription.next_subscription_event()).await.unwrap();
    assert!(matches!(confirmed.unwrap(), SubscriptionEvent::Confirmed(_)));
    timeout(PATIENCE, ledger.until_held()).await.unwrap();
    client.tombstone_stream("room-1", &TombstoneStreamOptions::default()).await.unwrap();
    ledger.release();
    for revision in [0, 1] {
        let told = timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
        assert_eq!(told.get_original_event().revision, revision);
    }
    let error = timeout(PATIENCE, subscription.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ResourceDeleted), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_of_a_group_is_done_whole_though_its_client_gives_up() {
    let ledger = Tripping::default();
    let server = Server::over(Arc::new(ledger.clone())).await;
    let client = server.client();
    let options = PersistentSubscriptionOptions::default();
    client.create_persistent_subscription("room-1", "desk", &options).await.unwrap();
    ledger.hold("$persistentsubscriptions");
    let impatient = DeletePersistentSubscriptionOptions::default();
    let impatient = impatient.deadline(Duration::from_millis(100));
    let late = client.delete_persistent_subscription("room-1", "desk", &impatient).await;
    assert!(matches!(late.unwrap_err(), Error::DeadlineExceeded));
    timeout(PATIENCE, ledger.until_held()).await.unwrap();
    ledger.release();
    let options = GetPersistentSubscriptionInfoOptions::default();
    let gone = async {
        loop {
            let info = client.get_persistent_subscription_info("room-1", "desk", &options).await;
            if let Err(error) = info {
                break error;
            }
        }
    };
    let gone = timeout(PATIENCE, gone).await.unwrap();
    assert!(matches!(gone, Error::ResourceNotFound), "{gone:?}");
}
