//! What clients ask a node before anything else: whether it lives, what it can do, where it is.

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::raw::open;
use super::server::Server;

async fn told(address: SocketAddr, method: &str) -> Bytes {
    let answer = open(address, method, &[], &[]).await;
    answer.into_body().collect().await.unwrap().to_bytes()
}

fn names(message: &[u8], name: &str) -> bool {
    message.windows(name.len()).any(|window| window == name.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_that_it_lives_what_it_can_do_and_where_it_is() {
    let server = Server::new().await;
    for http2 in [false, true] {
        let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http::<Body>();
        let address = format!("http://{}/health/live", server.address).parse().unwrap();
        assert_eq!(client.get(address).await.unwrap().status(), 204);
    }
    let features = told(server.address, "server_features.ServerFeatures/GetSupportedMethods").await;
    for name in [
        "event_store.client.streams.streams",
        "batchappend",
        "deadline_duration",
        "event_store.client.persistent_subscriptions.persistentsubscriptions",
        "replayparked",
        "24.10.0",
    ] {
        assert!(names(&features, name), "{name}");
    }
    let members = told(server.address, "gossip.Gossip/Read").await;
    assert!(names(&members, "127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_can_be_told_to_start_again() {
    let server = Server::new().await;
    let options = eventstore::RestartPersistentSubscriptionSubsystem::default();
    let restarted = server.client().restart_persistent_subscription_subsystem(&options).await;
    restarted.unwrap();
}
