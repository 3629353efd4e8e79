//! A cluster of three behind a network, and what happens to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cx_ledger::seeded::Seeded;
use cx_ledger::{KurrentLedger, Ledger, MemoryLedger};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::cluster::Cluster;
use super::proxy::{Proxy, Weather};
use super::server::{ANY_PORT, Server, ledger_at};

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Everything is late.
    Late,
    /// Connections are reset.
    Reset,
    /// Connections look open and carry nothing.
    HalfOpen,
    /// One byte a second.
    Dribble,
    /// Connections end in a frame.
    Cut,
    /// All nodes die and come back.
    Restart,
    /// The node that leads dies, another leads, and the first comes back.
    Death,
    /// Another leads, and all live.
    Election,
    /// Every subscription ends well.
    CleanEnd,
}

pub const KINDS: &[Fault] = &[
    Fault::Late,
    Fault::Reset,
    Fault::HalfOpen,
    Fault::Dribble,
    Fault::Cut,
    Fault::Restart,
    Fault::Death,
    Fault::Election,
    Fault::CleanEnd,
];

/// Each so many-th fault lasts long, so that every pause has grown to its longest. It has no divisor
/// in common with the number of kinds: so each kind lasts long once in a while.
const LONG: usize = 35;

/// Three nodes over the same events, and the network before each.
pub struct Nodes {
    pub stored: Arc<dyn Ledger>,
    cluster: Arc<Cluster>,
    servers: Vec<Option<Server>>,
    addresses: Vec<SocketAddr>,
    networks: Vec<Proxy>,
    ends: watch::Sender<u64>,
    random: Seeded,
}

impl Nodes {
    pub async fn start() -> Self {
        let stored: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let (cluster, ends) = (Cluster::new(), watch::Sender::new(0));
        let random = Seeded::new(1);
        let (servers, addresses, networks) = (Vec::new(), Vec::new(), Vec::new());
        let mut all = Self { stored, cluster, servers, addresses, networks, ends, random };
        for place in 0..3 {
            all.addresses.push(ANY_PORT);
            let node = all.node(place);
            all.addresses[place] = node.address;
            all.networks.push(Proxy::start(node.address).await);
            all.servers.push(Some(node));
        }
        all.cluster.members.send_replace(all.seeds());
        all
    }

    fn seeds(&self) -> Vec<SocketAddr> {
        self.networks.iter().map(|network| network.address).collect()
    }

    /// A ledger on them, which knows all of them.
    pub async fn ledger(&self) -> KurrentLedger {
        ledger_at(&self.seeds()).await
    }

    fn node(&self, place: usize) -> Server {
        let stored = Arc::clone(&self.stored);
        let ends = self.ends.subscribe();
        Server::start_in_ending(stored, self.addresses[place], (&self.cluster, place), ends)
    }

    /// A fault, until it is over.
    pub async fn suffer(&mut self, fault: Fault, number: usize) {
        let lasts = if number.is_multiple_of(LONG) { 2_500 } else { 20 + self.random.below(60) };
        let over = Instant::now() + Duration::from_millis(lasts);
        match fault {
            Fault::Late => {
                let late = Duration::from_millis(5 + self.random.below(20));
                self.network(Weather::Late(late));
            }
            Fault::Reset => self.network(Weather::Reset),
            Fault::HalfOpen => self.network(Weather::Swallow),
            Fault::Dribble => self.network(Weather::Dribble),
            Fault::Cut => {
                let after = 1 + self.random.below(300) as u32;
                self.network(Weather::Cut(after));
            }
            Fault::Restart => self.servers.iter_mut().for_each(|node| *node = None),
            Fault::Death => {
                let leader = *self.cluster.leader.borrow();
                self.servers[leader] = None;
                self.cluster.away.send_replace(Some(leader));
                self.elect();
            }
            Fault::Election => self.elect(),
            Fault::CleanEnd => self.ends.send_modify(|count| *count += 1),
        }
        sleep_until(over).await;
        self.network(Weather::Fair);
        for place in 0..self.servers.len() {
            if self.servers[place].is_none() {
                self.servers[place] = Some(self.node(place));
            }
        }
        self.cluster.away.send_replace(None);
    }

    fn network(&self, weather: Weather) {
        self.networks.iter().for_each(|network| network.let_be(weather));
    }

    fn elect(&self) {
        self.cluster.leader.send_modify(|leader| *leader = (*leader + 1) % 3);
    }
}
