//! What a client asks a node about itself: what it can do, and who else there is.

use std::net::SocketAddr;

use axum::http::uri::Authority;
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

/// Where this node is: as the client calls it, who goes there next and may know no other name that
/// the certificate has.
fn end_point(called: Option<&Authority>, address: SocketAddr) -> EndPoint {
    let called = called.and_then(|called| Some((called.host(), called.port_u16()?)));
    let (host, port) = match called {
        Some((host, port)) => (host.trim_matches(['[', ']']).to_owned(), port),
        None => (address.ip().to_string(), address.port()),
    };
    EndPoint { address: host, port: u32::from(port) }
}

/// The cluster: this node, which is its leader.
pub(super) async fn gossip(method: &str, call: Call) -> Response {
    if method != "Read" {
        return unknown();
    }
    let end_point = end_point(call.request.uri().authority(), call.address);
    let (end_point, instance) = (&end_point, call.endpoint.shared.instance);
    call.unary(|_: Empty| async move {
        let member = MemberInfo {
            instance: Some(WireId::text(instance)),
            time_stamp: i64::try_from(Timestamp::now().as_nanosecond() / 100).unwrap_or(i64::MAX),
            state: LEADER,
            is_alive: true,
            end_point: Some(end_point.clone()),
        };
        Ok(ClusterInfo { members: vec![member] })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_where_the_client_found_it() {
        let address = SocketAddr::from(([127, 0, 0, 1], 2113));
        let told = |called: Option<&'static str>| {
            let called = called.map(Authority::from_static);
            let EndPoint { address, port } = end_point(called.as_ref(), address);
            (address, port)
        };
        assert_eq!(told(Some("store.example:443")), ("store.example".into(), 443));
        assert_eq!(told(Some("[::1]:2113")), ("::1".into(), 2113));
        // Without a port nobody knows which one was meant.
        assert_eq!(told(Some("store.example")), ("127.0.0.1".into(), 2113));
        assert_eq!(told(None), ("127.0.0.1".into(), 2113));
    }
}
