//! What a client asks a node about itself: what it can do, and who else there is.

use axum::response::Response;
use jiff::Timestamp;

use super::call::{Call, unknown};
use super::wire::features::{SupportedMethod, SupportedMethods};
use super::wire::gossip::{ClusterInfo, EndPoint, LEADER, MemberInfo};
use super::wire::shared::{Empty, WireId};

/// The version that is told: of the protocol that is spoken, not of this program.
const SERVER_VERSION: &str = "24.10.0";

const STREAMS: &[(&str, &[&str])] = &[
    ("read", &["position", "events"]),
    ("append", &[]),
    ("delete", &[]),
    ("tombstone", &[]),
    ("batchappend", &["deadline_duration"]),
];

const OF_STREAM_AND_ALL: &[&str] = &["stream", "all"];

const PERSISTENT: &[(&str, &[&str])] = &[
    ("create", OF_STREAM_AND_ALL),
    ("update", OF_STREAM_AND_ALL),
    ("delete", OF_STREAM_AND_ALL),
    ("read", OF_STREAM_AND_ALL),
    ("getinfo", OF_STREAM_AND_ALL),
    ("replayparked", OF_STREAM_AND_ALL),
    ("list", OF_STREAM_AND_ALL),
    ("restartsubsystem", &[]),
];

/// Methods with their features, by service.
type Services = &'static [(&'static str, &'static [(&'static str, &'static [&'static str])])];

const SERVICES: Services = &[
    ("event_store.client.streams.streams", STREAMS),
    ("event_store.client.persistent_subscriptions.persistentsubscriptions", PERSISTENT),
];

/// What is served.
pub(super) async fn features(method: &str, call: Call) -> Response {
    if method != "GetSupportedMethods" {
        return unknown();
    }
    call.unary(|_: Empty| async {
        let methods = SERVICES.iter().flat_map(|(service, methods)| {
            methods.iter().map(|(method, features)| SupportedMethod {
                method: (*method).into(),
                service: (*service).into(),
                features: features.iter().map(|feature| (*feature).into()).collect(),
            })
        });
        Ok(SupportedMethods { methods: methods.collect(), server_version: SERVER_VERSION.into() })
    })
    .await
}

/// The cluster: this node, which is its leader.
pub(super) async fn gossip(method: &str, call: Call) -> Response {
    if method != "Read" {
        return unknown();
    }
    let (address, instance) = (call.address, call.endpoint.shared.instance);
    call.unary(|_: Empty| async move {
        let member = MemberInfo {
            instance: Some(WireId::text(instance)),
            time_stamp: i64::try_from(Timestamp::now().as_nanosecond() / 100).unwrap_or(i64::MAX),
            state: LEADER,
            is_alive: true,
            end_point: Some(EndPoint {
                address: address.ip().to_string(),
                port: u32::from(address.port()),
            }),
        };
        Ok(ClusterInfo { members: vec![member] })
    })
    .await
}
