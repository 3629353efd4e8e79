//! The schema over a real engine on a ledger in memory.

#[path = "schema/describing.rs"]
mod describing;
#[path = "schema/ingesting.rs"]
mod ingesting;
#[path = "schema/mutating.rs"]
mod mutating;
#[path = "schema/refusing.rs"]
mod refusing;
#[path = "schema/world.rs"]
mod world;
