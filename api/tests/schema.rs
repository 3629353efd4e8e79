//! The schema over a real engine on a ledger in memory.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "schema/describing.rs"]
mod describing;
#[path = "schema/ingesting.rs"]
mod ingesting;
#[path = "schema/mutating.rs"]
mod mutating;
#[path = "schema/paging.rs"]
mod paging;
#[path = "schema/refusing.rs"]
mod refusing;
#[path = "schema/satisfying.rs"]
mod satisfying;
#[path = "schema/standing.rs"]
mod standing;
#[path = "schema/world.rs"]
mod world;
