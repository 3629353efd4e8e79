//! A cluster's leader changes, is found, and is found again.

use std::sync::Arc;
use std::time::Duration;

use cx_ledger::{
    Append, Direction, Expected, Follow, KurrentLedger, KurrentSettings, Ledger, MemoryLedger,
    RawNewEvent,
};
use cx_model::{Position, StreamName};
use tokio::time::timeout;
use uuid::Uuid;

use super::cluster::Cluster;
use super::server::{Server, ledger_at};

/// Within this all is well after a change.
const SOON: Duration = Duration::from_secs(2);

fn stream() -> StreamName {
    StreamName::of("case", Uuid::from_u128(5))
}

async fn append(ledger: &KurrentLedger, n: u64) {
    let event = RawNewEvent {
        id: Uuid::from_u128(u128::from(n) + 1),
        event_type: "Counted".into(),
        data: format!(r#"{{"n":{n}}}"#).into(),
        metadata: "{}".into(),
    };
    let append = Append { stream: stream(), expected: Expected::Any, events: vec![event] };
    let appended = ledger.append(append).await.unwrap();
    assert_eq!((appended.revision, appended.repeated), (Some(n), false));
}

async fn told(follow: &mut Box<dyn Follow>, n: u64) {
    let told = follow.next(10).await.unwrap();
    assert_eq!((told.len(), told[0].revision, told[0].ordinal), (1, n, n + 1));
}

fn three(cluster: &Arc<Cluster>) -> Vec<Server> {
    let stored: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let nodes = (0..3).map(|place| Server::start_in(Arc::clone(&stored), cluster, place));
    let nodes: Vec<_> = nodes.collect();
    cluster.members.send_replace(nodes.iter().map(|node| node.address).collect());
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_changes_the_new_one_is_asked_and_nothing_is_lost() {
    let cluster = Cluster::new();
    let nodes = three(&cluster);
    let seeds: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let ledger = ledger_at(&seeds).await;
    let mut follow = ledger.follow(Position::START);
    for n in 0..12 {
        cluster.leader.send_replace(n as usize % 3);
        let well = async {
            append(&ledger, n).await;
            told(&mut follow, n).await;
            let read = ledger.read_all(Position::START, Direction::Forwards, 99).await.unwrap();
            assert_eq!(read.len() as u64, n + 1);
        };
        timeout(SOON, well).await.expect("the new leader is asked soon");
    }
    assert!(*cluster.told.borrow() > 0, "the leader did change under the client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_the_only_seed_leads_to_the_leader() {
    let cluster = Cluster::new();
    let nodes = three(&cluster);
    cluster.leader.send_replace(2);
    for (place, node) in nodes.iter().take(2).enumerate() {
        let ledger = timeout(SOON, ledger_at(&[node.address])).await.unwrap();
        let well = async {
            append(&ledger, place as u64).await;
            let mut follow = ledger.follow(Position::START);
            assert_eq!(follow.next(9).await.unwrap()[0].revision, 0);
        };
        timeout(SOON, well).await.expect("its answer is followed");
    }
    assert!(*cluster.told.borrow() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gossip_finds_the_leader_behind_seeds_that_are_gone() {
    let cluster = Cluster::new();
    let mut nodes = three(&cluster);
    let seeds: Vec<_> = nodes.iter().map(|node| node.address).collect();
    cluster.leader.send_replace(2);
    // The first is gone, and the last is not named: the second knows it.
    drop(nodes.remove(0));
    let ledger = timeout(SOON, ledger_at(&seeds[..2])).await.unwrap();
    timeout(SOON, append(&ledger, 0)).await.unwrap();
    assert_eq!(*cluster.told.borrow(), 0, "nobody had to be told");
    // The leader dies, and another is elected that was not the one connected to.
    drop(nodes.remove(1));
    cluster.leader.send_replace(1);
    timeout(SOON, append(&ledger, 1)).await.expect("the elected one is found");
    // One name for all nodes, as DNS gives them.
    let address = format!("esdb+discover://127.0.0.1:{}?tls=false", seeds[1].port());
    let settings = KurrentSettings::parse(&address).unwrap();
    let ledger = timeout(SOON, KurrentLedger::connect(settings)).await.unwrap().unwrap();
    timeout(SOON, append(&ledger, 2)).await.unwrap();
}
