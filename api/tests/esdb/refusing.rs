//! Who and what is refused, and with which words.

use eventstore::{
    Client, DeletePersistentSubscriptionOptions, DeleteStreamOptions, Error,
    PersistentSubscriptionOptions, ReadStreamOptions, ReplayParkedMessagesOptions, StreamMetadata,
    SubscribeToPersistentSubscriptionOptions, TombstoneStreamOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::raw::{call, deletion, field};
use super::server::{Server, any, event, tokens};

async fn server() -> Server {
    Server::with_tokens(tokens(&[("writer", "open", "ada"), ("reader", "shut", "bob")])).await
}

fn is_denied(error: &Error) -> bool {
    matches!(error, Error::AccessDenied)
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_and_roles_that_may_not_write_are_refused() {
    let server = server().await;
    let append =
        async |who: &str| server.client_of(who).append_to_stream("room-1", &any(), event(0)).await;
    append("ada:open@").await.unwrap();
    for stranger in ["", "ada:wrong@", "bob:open@", "bob:shut@"] {
        let error = append(stranger).await.unwrap_err();
        assert!(is_denied(&error), "{error:?}");
    }
    let read = async |who: &str| {
        let client = server.client_of(who);
        client.read_stream("room-1", &ReadStreamOptions::default()).await
    };
    assert!(read("bob:shut@").await.unwrap().next().await.unwrap().is_some());
    let error = read("bob:wrong@").await.unwrap_err();
    assert!(is_denied(&error), "{error:?}");
}

/// What each call that writes answers to this client.
async fn writes(client: &Client) -> Vec<(&'static str, Option<Error>)> {
    let options = PersistentSubscriptionOptions::default();
    let (stream, group) = ("room-1", "desk");
    let join = SubscribeToPersistentSubscriptionOptions::default();
    let replay = ReplayParkedMessagesOptions::default();
    let delete_group = DeletePersistentSubscriptionOptions::default();
    let metadata = StreamMetadata::builder().max_count(1).build();
    vec![
        ("append", client.append_to_stream(stream, &any(), event(1)).await.err()),
        ("metadata", client.set_stream_metadata(stream, &any(), &metadata).await.err()),
        ("create", client.create_persistent_subscription(stream, group, &options).await.err()),
        ("update", client.update_persistent_subscription(stream, group, &options).await.err()),
        ("join", client.subscribe_to_persistent_subscription(stream, group, &join).await.err()),
        ("replay", client.replay_parked_messages(stream, group, &replay).await.err()),
        (
            "delete group",
            client.delete_persistent_subscription(stream, group, &delete_group).await.err(),
        ),
        ("delete", client.delete_stream(stream, &DeleteStreamOptions::default()).await.err()),
        (
            "tombstone",
            client.tombstone_stream(stream, &TombstoneStreamOptions::default()).await.err(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_writes_nothing_by_any_call_and_a_writer_may_make_each() {
    let server = server().await;
    for (what, error) in writes(&server.client_of("bob:shut@")).await {
        assert!(error.as_ref().is_some_and(is_denied), "{what}: {error:?}");
    }
    for (what, error) in writes(&server.client_of("ada:open@")).await {
        assert!(error.is_none(), "{what}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_its_kind_in_a_trailer() {
    let server = server().await;
    // ada:open, bob:shut and ada:wrong.
    let [ada, bob, stranger] = ["YWRhOm9wZW4=", "Ym9iOnNodXQ=", "YWRhOndyb25n"];
    let long = deletion(&vec![b'a'; 300 << 10]);
    let plain = deletion(b"room-1");
    let names =
        ["Delete", "Tombstone", "BatchAppend"].map(|name| format!("streams.Streams/{name}"));
    // The client of batches keeps to itself why it was refused.
    for who in [bob, stranger] {
        let credential = format!("Basic {who}");
        let headers = [("authorization", &*credential)];
        let (_, answer) = call(server.address, &names[2], &headers, &[]).await;
        assert_eq!(answer["exception"], "access-denied", "{answer:?}");
    }
    for method in &names[..2] {
        for (who, message, status, exception) in [
            (bob, &plain, "7", "access-denied"),
            (stranger, &plain, "16", "access-denied"),
            (ada, &long, "3", "maximum-append-size-exceeded"),
        ] {
            let credential = format!("Basic {who}");
            let headers = [("authorization", &*credential)];
            let (code, answer) = call(server.address, method, &headers, message).await;
            assert_eq!(code, 200, "{method} {status}");
            assert_eq!(answer["grpc-status"], status, "{answer:?}");
            assert_eq!(answer["exception"], exception, "{answer:?}");
        }
    }
    let credential = format!("Basic {ada}");
    let headers = [("authorization", &*credential)];
    let (_, answer) = call(server.address, &names[0], &headers, &plain).await;
    assert_eq!(answer["grpc-status"], "9", "{answer:?}");
    assert_eq!(answer["exception"], "wrong-expected-version", "{answer:?}");
    let (_, answer) = call(server.address, &names[1], &headers, &plain).await;
    assert_eq!(answer["grpc-status"], "0", "{answer:?}");
    let (_, answer) = call(server.address, &names[1], &headers, &plain).await;
    assert_eq!(answer["exception"], "stream-deleted", "{answer:?}");
    assert_eq!(answer["stream-name"], "room-1", "{answer:?}");
    let create = "persistent_subscriptions.PersistentSubscriptions/Create";
    let message = field(1, &field(2, &vec![b'g'; 300 << 10]));
    let (_, answer) = call(server.address, create, &headers, &message).await;
    assert_eq!(answer["grpc-status"], "3", "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_a_browser_gets_no_answer() {
    let server = Server::new().await;
    let gossip = "gossip.Gossip/Read";
    let (status, _) = call(server.address, gossip, &[("origin", "https://a.example")], &[]).await;
    assert_eq!(status, 403);
    let (status, answer) = call(server.address, gossip, &[], &[]).await;
    assert_eq!(status, 200);
    assert_eq!(answer["grpc-status"], "0", "{answer:?}");
    let mut socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let call = "POST /event_store.client.gossip.Gossip/Read HTTP/1.1\r\nhost: rebound.example\r\n\
                content-type: application/grpc\r\ncontent-length: 5\r\nconnection: close\r\n\r\n\
                \0\0\0\0\0";
    socket.write_all(call.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}
