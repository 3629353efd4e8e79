//! Appending and deleting.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use eventstore::{
    CurrentRevision, DeleteStreamOptions, Error, EventData, ReadStreamOptions,
    StreamMetadataBuilder, StreamState, TombstoneStreamOptions,
};
use hyper::client::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use super::raw::{field, request_of};
use super::server::{Server, any, event, expecting, is_invalid};
use super::tripping::{Tripping, Work};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn every_expectation_is_kept_and_a_repeat_is_a_success() {
    let server = Server::new().await;
    let client = server.client();
    let append = |expected, number| {
        let client = client.clone();
        async move { client.append_to_stream("room-1", &expecting(expected), event(number)).await }
    };
    for expected in [StreamState::StreamExists, StreamState::StreamRevision(0)] {
        let wrong = append(expected, 0).await.unwrap_err();
        assert!(matches!(wrong, Error::WrongExpectedVersion { .. }), "{wrong:?}");
    }
    let first = append(StreamState::NoStream, 0).await.unwrap();
    assert_eq!(first.next_expected_version, 0);
    for expected in [StreamState::NoStream, StreamState::Any, StreamState::StreamExists] {
        let again = append(expected, 0).await.unwrap();
        assert_eq!((again.next_expected_version, again.position), (0, first.position));
    }
    match append(StreamState::NoStream, 1).await.unwrap_err() {
        Error::WrongExpectedVersion { expected, current } => {
            assert_eq!(expected, StreamState::NoStream);
            assert_eq!(current, CurrentRevision::Current(0));
        }
        other => panic!("{other:?}"),
    }
    let second = append(StreamState::StreamRevision(0), 1).await.unwrap();
    let again = append(StreamState::StreamRevision(0), 1).await.unwrap();
    assert_eq!((again.next_expected_version, again.position), (1, second.position));
    for revision in [0, 7] {
        let error = append(StreamState::StreamRevision(revision), 2).await.unwrap_err();
        assert!(matches!(error, Error::WrongExpectedVersion { .. }), "{error:?}");
    }
    append(StreamState::Any, 2).await.unwrap();
    append(StreamState::StreamExists, 3).await.unwrap();
    let some = client.append_to_stream("room-1", &any(), vec![event(3), event(4)]).await;
    assert!(matches!(some.unwrap_err(), Error::WrongExpectedVersion { .. }));
    // An id is one event's within its stream; another stream may have it too.
    client.append_to_stream("room-2", &any(), event(3)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_answered_one_by_one() {
    let server = Server::new().await;
    let batches = server.client().batch_append(&eventstore::BatchAppendOptions::default()).await;
    let batches = batches.unwrap();
    let new = StreamState::NoStream;
    let done = batches.append_to_stream("room-1", new, vec![event(0), event(1)]).await.unwrap();
    assert_eq!(done.current_revision(), Some(1));
    let again = batches.append_to_stream("room-1", new, vec![event(0), event(1)]).await.unwrap();
    assert_eq!(again.current_position(), done.current_position());
    batches.append_to_stream("room-2", new, vec![event(0)]).await.unwrap();
    // The client gives its stream of batches up with the first that is refused.
    let error = batches.append_to_stream("room-1", new, vec![event(7)]).await.unwrap_err();
    assert!(matches!(error, Error::Grpc { code: tonic::Code::AlreadyExists, .. }), "{error:?}");
}

/// Asks for an append of nothing to a stream, as a batch of its own.
fn batch(number: u8, stream: &[u8]) -> Vec<u8> {
    let correlation = field(2, Uuid::from_u128(number.into()).to_string().as_bytes());
    let is_final = [4 << 3, 1].to_vec();
    [field(1, &correlation), field(2, &field(1, &field(3, stream))), is_final].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_of_a_batch_holds_nobody_up_though_its_client_takes_no_answers() {
    let ledger = Tripping::default();
    let server = Server::over(Arc::new(ledger.clone())).await;
    let socket = TcpStream::connect(server.address).await.unwrap();
    // There is no room for an answer.
    let handshake = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(0)
        .handshake::<_, Body>(TokioIo::new(socket));
    let (mut asking, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    ledger.hold(Work::Appending, "room-2");
    let batches = [batch(1, b"room-1"), batch(2, b"room-2")];
    let batches = batches.each_ref().map(|batch| &batch[..]);
    let batches = request_of(server.address, "streams.Streams/BatchAppend", &[], &batches);
    let _answers = asking.send_request(batches).await.unwrap();
    timeout(PATIENCE, ledger.until_held()).await.unwrap();
    ledger.release();
    // Metadata of a stream are not written while something is appended to it.
    let (client, metadata) = (server.client(), StreamMetadataBuilder::new().max_count(1).build());
    let options = any();
    let written = client.set_stream_metadata("room-2", &options, &metadata);
    timeout(PATIENCE, written).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_taken_and_read_back_and_seventeen_refused() {
    let server = Server::new().await;
    let client = server.client();
    let large = |megabytes: usize| EventData::binary("Large", vec![7; megabytes << 20].into());
    client.append_to_stream("room-1", &any(), large(10)).await.unwrap();
    let mut read = client.read_stream("room-1", &ReadStreamOptions::default()).await.unwrap();
    let told = read.next().await.unwrap().unwrap();
    let told = told.get_original_event();
    assert_eq!((told.data.len(), told.is_json), (10 << 20, false));
    let error = client.append_to_stream("room-1", &any(), large(17)).await.unwrap_err();
    assert!(is_invalid(&error), "{error:?}");
    client.append_to_stream("room-1", &any(), event(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_lives_again_and_a_tombstone_stays() {
    let server = Server::new().await;
    let client = server.client();
    let delete = DeleteStreamOptions::default();
    let read = async |stream: &'static str| {
        let mut found = Vec::new();
        let mut read = client.read_stream(stream, &ReadStreamOptions::default()).await?;
        while let Some(event) = read.next().await? {
            found.push(event.get_original_event().revision);
        }
        Ok::<_, Error>(found)
    };
    let error = client.delete_stream("room-1", &delete).await.unwrap_err();
    assert!(
        matches!(error, Error::Grpc { code: tonic::Code::FailedPrecondition, .. }),
        "{error:?}"
    );
    client.append_to_stream("room-1", &any(), vec![event(0), event(1)]).await.unwrap();
    for wrong in [StreamState::NoStream, StreamState::StreamRevision(0)] {
        let (delete, tombstone) = (delete.clone(), TombstoneStreamOptions::default());
        let refused = [
            client.delete_stream("room-1", &delete.stream_state(wrong)).await.err(),
            client.tombstone_stream("room-1", &tombstone.stream_state(wrong)).await.err(),
        ];
        for error in refused {
            let error = error.unwrap();
            assert!(
                matches!(error, Error::Grpc { code: tonic::Code::FailedPrecondition, .. }),
                "{error:?}"
            );
        }
    }
    let last = delete.clone().stream_state(StreamState::StreamRevision(1));
    client.delete_stream("room-1", &last).await.unwrap();
    assert!(matches!(read("room-1").await.unwrap_err(), Error::ResourceNotFound));
    let new = expecting(StreamState::NoStream);
    let done = client.append_to_stream("room-1", &new, event(2)).await.unwrap();
    assert_eq!(done.next_expected_version, 2);
    assert_eq!(read("room-1").await.unwrap(), [2]);
    client.tombstone_stream("room-1", &TombstoneStreamOptions::default()).await.unwrap();
    assert!(matches!(read("room-1").await.unwrap_err(), Error::ResourceDeleted));
    let late = client.append_to_stream("room-1", &any(), event(3)).await.unwrap_err();
    assert!(matches!(late, Error::ResourceDeleted), "{late:?}");
}
