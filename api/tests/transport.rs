//! The transport as clients meet it: real sockets on loopback, a small schema behind them.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "desk/intake.rs"]
mod intake;
#[path = "desk/schema.rs"]
#[allow(dead_code)]
mod schema;

#[path = "transport/server.rs"]
mod server;

#[path = "transport/events.rs"]
mod events;
#[path = "transport/http.rs"]
mod http;
#[path = "transport/live.rs"]
mod live;
#[path = "transport/socket.rs"]
mod socket;
