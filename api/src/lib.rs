//! Everything that listens on a socket: GraphQL over HTTP, WebSocket and server-sent events,
//! ingest of CloudEvents, health and metrics.
//!
//! [`executor::Guarded`] runs GraphQL behind [`guard`]; [`http::Api`] makes a router of it;
//! [`serve::serve`] serves that router until a signal.

pub mod auth;
mod body;
pub mod documents;
pub mod errors;
pub mod esdb;
pub mod executor;
pub mod guard;
pub mod health;
pub mod hostile;
pub mod http;
pub mod ingest;
pub mod intake;
pub mod metrics;
pub mod page;
pub mod positions;
pub mod ready;
pub mod schema;
pub mod serve;
