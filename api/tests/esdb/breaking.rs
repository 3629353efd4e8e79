//! What happens when the ledger fails a read, or takes its time, in the middle of something.

use std::sync::Arc;
use std::time::Duration;

use eventstore::{
    Client, DeletePersistentSubscriptionOptions, DeleteStreamOptions, Error, EventData,
    GetPersistentSubscriptionInfoOptions, NakAction, PersistentSubscription,
    PersistentSubscriptionEvent, PersistentSubscriptionOptions, PersistentSubscriptionToAllOptions,
    ReplayParkedMessagesOptions, ResolvedEvent, StreamPosition,
    SubscribeToPersistentSubscriptionOptions, SubscribeToStreamOptions, SubscriptionEvent,
    TombstoneStreamOptions,
};
use tokio::time::timeout;

use super::server::{Server, any, event};
use super::tripping::{Tripping, Work};

const PATIENCE: Duration = Duration::from_secs(20);
/// What is said of the stream in which the group to all parks.
const PARKED_STATE: &str = "$$$persistentsubscription-$all::desk-parked";

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
    ledger.hold(Work::ReadingForwards, "room-1");
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
    ledger.hold(Work::Appending, "$persistentsubscriptions");
    let impatient = client.clone();
    let given_up = tokio::spawn(async move {
        let options = DeletePersistentSubscriptionOptions::default();
        impatient.delete_persistent_subscription("room-1", "desk", &options).await
    });
    timeout(PATIENCE, ledger.until_held()).await.unwrap();
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    // What is sent after it on the same connection is heard after it.
    client.append_to_stream("room-2", &any(), event(0)).await.unwrap();
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

/// A consumer of the group to all.
async fn consumer(client: &Client) -> PersistentSubscription {
    let options = SubscribeToPersistentSubscriptionOptions::default();
    client.subscribe_to_persistent_subscription_to_all("desk", &options).await.unwrap()
}

/// The next event, or the error with which the consumer ends.
async fn told(consumer: &mut PersistentSubscription) -> Result<ResolvedEvent, Error> {
    loop {
        let told = timeout(PATIENCE, consumer.next_subscription_event()).await.unwrap()?;
        if let PersistentSubscriptionEvent::EventAppeared { event, .. } = told {
            return Ok(event);
        }
    }
}

async fn group_to_all(client: &Client) -> PersistentSubscription {
    let options = PersistentSubscriptionToAllOptions::default().start_from(StreamPosition::Start);
    client.create_persistent_subscription_to_all("desk", &options).await.unwrap();
    consumer(client).await
}

/// Until so many are parked.
async fn parked(client: &Client, count: usize) {
    let parked = async {
        let options = GetPersistentSubscriptionInfoOptions::default();
        loop {
            let info = client.get_persistent_subscription_info_to_all("desk", &options).await;
            if info.unwrap().stats.parked_message_count == count {
                break;
            }
        }
    };
    timeout(PATIENCE, parked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_events_that_were_found_are_told_though_the_next_cannot_be_read() {
    let ledger = Tripping::default();
    let server = Server::over(Arc::new(ledger.clone())).await;
    let client = server.client();
    let mut first = group_to_all(&client).await;
    let streams = ["room-1", "room-2", "room-3"];
    for (number, stream) in streams.into_iter().enumerate() {
        client.append_to_stream(stream, &any(), event(number as u64)).await.unwrap();
    }
    for _ in streams {
        let event = told(&mut first).await.unwrap();
        first.nack(&event, NakAction::Park, "later").await.unwrap();
    }
    parked(&client, 3).await;
    ledger.fail("room-2", true);
    let options = ReplayParkedMessagesOptions::default();
    client.replay_parked_messages_to_all("desk", &options).await.unwrap();
    assert!(matches!(told(&mut first).await.unwrap_err(), Error::ServerError(_)));
    ledger.fail("room-2", false);
    let mut second = consumer(&client).await;
    for stream in streams {
        let event = told(&mut second).await.unwrap();
        assert_eq!(event.get_original_event().stream_id(), stream);
        second.ack(&event).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_feed_ended_goes_on_with_another_when_a_consumer_comes_back() {
    let ledger = Tripping::default();
    let server = Server::over(Arc::new(ledger.clone())).await;
    let client = server.client();
    let mut first = group_to_all(&client).await;
    client.append_to_stream("room-1", &any(), event(0)).await.unwrap();
    let event_0 = told(&mut first).await.unwrap();
    first.ack(&event_0).await.unwrap();
    ledger.break_feeds();
    assert!(matches!(told(&mut first).await.unwrap_err(), Error::ServerError(_)));
    let mut second = consumer(&client).await;
    client.append_to_stream("room-1", &any(), event(1)).await.unwrap();
    // The acknowledgement of the first may have come too late.
    while told(&mut second).await.unwrap().get_original_event().revision != 1 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_events_are_told_though_those_before_them_cannot_be_taken_out() {
    const GONE: u64 = 100;
    let ledger = Tripping::default();
    let server = Server::over(Arc::new(ledger.clone())).await;
    let client = server.client();
    let mut consumer = group_to_all(&client).await;
    for (stream, events) in [("room-1", 0..GONE), ("room-2", GONE..GONE + 1)] {
        let events: Vec<_> = events.map(event).collect();
        client.append_to_stream(stream, &any(), events).await.unwrap();
    }
    for _ in 0..=GONE {
        let event = told(&mut consumer).await.unwrap();
        consumer.nack(&event, NakAction::Park, "later").await.unwrap();
    }
    parked(&client, GONE as usize + 1).await;
    client.delete_stream("room-1", &DeleteStreamOptions::default()).await.unwrap();
    ledger.fail(PARKED_STATE, true);
    let options = ReplayParkedMessagesOptions::default();
    client.replay_parked_messages_to_all("desk", &options).await.unwrap();
    loop {
        let event = told(&mut consumer).await.unwrap();
        consumer.ack(&event).await.unwrap();
        match event.get_original_event().stream_id() {
            "room-2" => break,
            other => assert_eq!(other, "$$room-1", "the deletion is told as well"),
        }
    }
    ledger.fail(PARKED_STATE, false);
    parked(&client, 0).await;
}
