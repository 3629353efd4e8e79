//! The protocol's messages, written by hand: names and field numbers are the contract, the rest is
//! ours. One file a service.

pub mod features;
pub mod gossip;
pub mod persistent;
pub mod shared;
pub mod streams;
