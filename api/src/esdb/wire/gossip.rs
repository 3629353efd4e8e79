//! Who belongs to the cluster: here one node, the leader.

use prost::Message;

use super::shared::WireId;

/// The members of the cluster.
#[derive(Clone, PartialEq, Message)]
pub struct ClusterInfo {
    /// Each of them.
    #[prost(message, repeated, tag = "1")]
    pub members: Vec<MemberInfo>,
}

/// One node.
#[derive(Clone, PartialEq, Message)]
pub struct MemberInfo {
    /// Its id.
    #[prost(message, optional, tag = "1")]
    pub instance: Option<WireId>,
    /// When this was said, in ticks of 100 nanoseconds.
    #[prost(int64, tag = "2")]
    pub time_stamp: i64,
    /// Its part; [`LEADER`] for the one that writes.
    #[prost(int32, tag = "3")]
    pub state: i32,
    /// Whether it answers.
    #[prost(bool, tag = "4")]
    pub is_alive: bool,
    /// Where it answers.
    #[prost(message, optional, tag = "5")]
    pub end_point: Option<EndPoint>,
}

/// The state of a leader.
pub const LEADER: i32 = 8;

/// A host and a port.
#[derive(Clone, PartialEq, Message)]
pub struct EndPoint {
    /// The host.
    #[prost(string, tag = "1")]
    pub address: String,
    /// The port.
    #[prost(uint32, tag = "2")]
    pub port: u32,
}
