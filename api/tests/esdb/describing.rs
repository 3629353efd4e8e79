//! Metadata of streams: written, read back, and kept.

use std::time::Duration;

use eventstore::{
    Acl, AppendToStreamOptions, Client, Error, ReadStreamOptions, StreamAclBuilder, StreamMetadata,
    StreamMetadataResult, StreamPosition, StreamState, VersionedMetadata,
};
use tokio::time::timeout;

use super::server::{Server, any, event, expecting};

async fn set(client: &Client, expected: &AppendToStreamOptions, metadata: StreamMetadata) {
    client.set_stream_metadata("room-1", expected, &metadata).await.unwrap();
}

async fn metadata(client: &Client) -> Option<Box<VersionedMetadata>> {
    let options = ReadStreamOptions::default();
    match client.get_stream_metadata("room-1", &options).await.unwrap() {
        StreamMetadataResult::Success(read) => Some(read),
        StreamMetadataResult::NotFound => None,
        StreamMetadataResult::Deleted => panic!("it is not deleted"),
    }
}

async fn revisions(client: &Client, options: ReadStreamOptions) -> Vec<u64> {
    let mut read = client.read_stream("room-1", &options).await.unwrap();
    let mut found = Vec::new();
    while let Some(event) = read.next().await.unwrap() {
        found.push(event.get_original_event().revision);
    }
    found
}

fn backwards() -> ReadStreamOptions {
    ReadStreamOptions::default().backwards().position(StreamPosition::End)
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_read_back_and_what_they_say_of_a_stream_is_kept() {
    let server = Server::new().await;
    let client = server.client();
    let events: Vec<_> = (0..6).map(event).collect();
    client.append_to_stream("room-1", &any(), events).await.unwrap();
    assert!(metadata(&client).await.is_none());
    let acl = StreamAclBuilder::new().add_read_roles("$all").add_write_roles("ada");
    let acl = acl.add_delete_roles("$admins").add_meta_write_roles("$admins").build();
    let sent = StreamMetadata::builder()
        .max_count(2)
        .cache_control(Duration::from_secs(5))
        .acl(Acl::Stream(acl))
        .insert_custom_property("colour", "red")
        .build();
    set(&client, &expecting(StreamState::NoStream), sent.clone()).await;
    let read = metadata(&client).await.unwrap();
    assert_eq!((read.version(), read.metadata()), (0, &sent));
    assert_eq!(revisions(&client, ReadStreamOptions::default()).await, [4, 5]);
    assert_eq!(revisions(&client, backwards()).await, [5, 4]);

    let cut = StreamMetadata::builder().truncate_before(3).build();
    let wrong = expecting(StreamState::StreamRevision(3));
    let error = client.set_stream_metadata("room-1", &wrong, &cut).await.unwrap_err();
    assert!(matches!(error, Error::WrongExpectedVersion { .. }), "{error:?}");
    set(&client, &expecting(StreamState::StreamRevision(0)), cut.clone()).await;
    // Of a stream of metadata the last are read, from whichever side.
    let read = metadata(&client).await.unwrap();
    assert_eq!((read.version(), read.metadata()), (1, &cut));
    assert_eq!(revisions(&client, ReadStreamOptions::default()).await, [3, 4, 5]);
    assert_eq!(revisions(&client, backwards()).await, [5, 4, 3]);

    let hour = StreamMetadata::builder().max_age(Duration::from_hours(1)).build();
    set(&client, &any(), hour).await;
    assert_eq!(revisions(&client, ReadStreamOptions::default()).await, [0, 1, 2, 3, 4, 5]);
    // This client writes milliseconds where the protocol has seconds: it is one second.
    let second = StreamMetadata::builder().max_age(Duration::from_millis(1)).build();
    set(&client, &any(), second).await;
    let old = async {
        while !revisions(&client, ReadStreamOptions::default()).await.is_empty() {}
        while !revisions(&client, backwards()).await.is_empty() {}
    };
    timeout(Duration::from_secs(20), old).await.unwrap();
    client.append_to_stream("room-1", &any(), event(6)).await.unwrap();
    assert_eq!(revisions(&client, ReadStreamOptions::default()).await, [6]);
}
