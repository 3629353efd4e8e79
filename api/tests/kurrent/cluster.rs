//! Several nodes over the same events, of which one leads: the others say who, and gossip tells it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::stream;
use http_body_util::StreamBody;
use hyper::HeaderMap;
use hyper::body::{Bytes, Frame};
use tokio::sync::watch;

/// What gossip calls the one that leads, and the others.
const LEADER: u64 = 8;
const FOLLOWER: u64 = 6;

/// Who is in a cluster, and who leads.
#[derive(Clone)]
pub struct Cluster {
    pub members: watch::Sender<Vec<SocketAddr>>,
    pub leader: watch::Sender<usize>,
    /// Who is known to be away.
    pub away: watch::Sender<Option<usize>>,
    /// How often somebody was told who leads.
    pub told: watch::Sender<u64>,
}

impl Cluster {
    pub fn new() -> Arc<Self> {
        let (members, leader) = (watch::Sender::default(), watch::Sender::new(0));
        let (away, told) = (watch::Sender::new(None), watch::Sender::new(0));
        Arc::new(Self { members, leader, away, told })
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number as u8) | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn number(field: u8, value: u64) -> Vec<u8> {
    [vec![field << 3], varint(value)].concat()
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    [vec![field << 3 | 2], varint(value.len() as u64), value.to_vec()].concat()
}

/// What gossip says: who lives, and which of them leads.
fn gossip(cluster: &Cluster) -> Response {
    let leader = *cluster.leader.borrow();
    let away = *cluster.away.borrow();
    let members = cluster.members.borrow();
    let member = |(place, address): (usize, &SocketAddr)| {
        let id = bytes(2, uuid::Uuid::from_u128(place as u128).to_string().as_bytes());
        let host = bytes(1, address.ip().to_string().as_bytes());
        let end_point = [host, number(2, u64::from(address.port()))].concat();
        let state = if place == leader { LEADER } else { FOLLOWER };
        let lives = number(4, u64::from(away != Some(place)));
        let parts = [bytes(1, &id), number(2, 1), number(3, state), lives, bytes(5, &end_point)];
        bytes(1, &parts.concat())
    };
    let message: Vec<u8> = members.iter().enumerate().flat_map(member).collect();
    let mut body = vec![0];
    body.extend((message.len() as u32).to_be_bytes());
    body.extend(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames: [Result<_, std::convert::Infallible>; 2] =
        [Ok(Frame::data(Bytes::from(body))), Ok(Frame::trailers(trailers))];
    let body = Body::new(StreamBody::new(stream::iter(frames)));
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

/// What a follower says to whoever wants the leader.
fn not_leader(leader: SocketAddr) -> Response {
    Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", "5")
        .header("grpc-message", "Leader info available")
        .header("exception", "not-leader")
        .header("leader-endpoint-host", leader.ip().to_string())
        .header("leader-endpoint-port", leader.port().to_string())
        .body(Body::empty())
        .unwrap()
}

/// A node's part in its cluster, before what it does as an event store.
pub async fn member(
    State((cluster, place)): State<(Arc<Cluster>, usize)>,
    ask: Request,
    next: Next,
) -> Response {
    let path = ask.uri().path();
    if path.ends_with(".Gossip/Read") {
        return gossip(&cluster);
    }
    let wants_leader = ask.headers().get("requires-leader").is_some_and(|value| value == "true");
    let leader = *cluster.leader.borrow();
    if wants_leader && leader != place {
        cluster.told.send_modify(|told| *told += 1);
        let leader = cluster.members.borrow()[leader];
        return not_leader(leader);
    }
    next.run(ask).await
}
