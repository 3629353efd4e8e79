//! The ledger on an event store elsewhere, over real sockets: it conforms, and it survives what a
//! network does.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "kurrent/away.rs"]
mod away;
#[path = "kurrent/cluster.rs"]
mod cluster;
#[path = "kurrent/counting.rs"]
mod counting;
#[path = "kurrent/leading.rs"]
mod leading;
#[path = "kurrent/losing.rs"]
mod losing;
#[path = "kurrent/proxy.rs"]
#[allow(dead_code)] // others make more weather
mod proxy;
#[path = "kurrent/secure.rs"]
mod secure;
#[path = "kurrent/server.rs"]
mod server;
#[path = "esdb/tripping.rs"]
#[allow(dead_code)] // others trip it in more ways
mod tripping;
#[path = "kurrent/trouble.rs"]
mod trouble;

use std::sync::Arc;

use cx_ledger::MemoryLedger;
use cx_ledger::conformance::{self, Engine};
use server::Server;

/// In what an event store differs from the engines of one machine.
const ELSEWHERE: Engine = Engine { atomic_many: false, ids_per_stream: true };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_on_an_event_store_conforms() {
    for seed in 0..12 {
        let server = Server::start(Arc::new(MemoryLedger::new()));
        let ledger = server.ledger().await;
        conformance::operations(&ledger, ELSEWHERE, seed, 60).await;
    }
    let server = Server::start(Arc::new(MemoryLedger::new()));
    conformance::limits(&server.ledger().await).await;
}
