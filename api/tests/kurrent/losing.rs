//! Event stores that no longer have what was counted: scavenged, exchanged, or a node that lags.

use std::sync::Arc;

use cx_ledger::book::{ReviewHow, ReviewedTo};
use cx_ledger::kurrent::Marks;
use cx_ledger::{
    Book, Direction, KurrentLedger, KurrentSettings, Ledger, MemoryLedger, ReadError, Vault,
};
use cx_model::Position;

use super::cluster::Cluster;
use super::counting::fill;
use super::server::Server;
use super::tripping::Tripping;

const END: Position = Position::new(u64::MAX);

async fn connect(address: &str, marks: &Marks) -> Result<KurrentLedger, ReadError> {
    let settings = KurrentSettings::parse(address).unwrap();
    KurrentLedger::connect(settings.with_marks(marks.clone())).await
}

async fn connect_to(server: &Server, marks: &Marks) -> Result<KurrentLedger, ReadError> {
    connect(&format!("esdb://{}?tls=false", server.address), marks).await
}

/// A directory with the marks of a ledger.
async fn marked(ledger: &MemoryLedger) -> (tempfile::TempDir, Marks) {
    let directory = tempfile::tempdir().unwrap();
    let marks = Marks { path: directory.path().join("marks"), write: true };
    let server = Server::start(Arc::new(ledger.clone()));
    let counted = connect_to(&server, &marks).await.unwrap().counted();
    assert_eq!(counted, ledger.head().await.unwrap().commit());
    (directory, marks)
}

/// Reads everything, a page after the other.
async fn paged(ledger: &KurrentLedger) -> Result<u64, ReadError> {
    let (mut from, mut read) = (Position::START, 0);
    loop {
        let page = ledger.read_all(from, Direction::Forwards, 100).await?;
        let Some(last) = page.last() else { return Ok(read) };
        from = last.position;
        read += page.len() as u64;
    }
}

/// Follows until a number is told.
async fn followed(ledger: &KurrentLedger, last: u64) -> Result<u64, ReadError> {
    let mut follow = ledger.follow(Position::START);
    let mut told = 0;
    while told < last {
        told = follow.next(500).await?.last().map_or(told, |event| event.ordinal);
    }
    Ok(told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scavenged_below_the_marks_is_not_read_over() {
    let stored = MemoryLedger::new();
    fill(&stored, 0, 5_000, 1).await;
    let (_directory, marks) = marked(&stored).await;
    let kept = std::fs::read(&marks.path).unwrap();
    let whole = Server::start(Arc::new(stored.clone()));
    let ledger = connect_to(&whole, &marks).await.unwrap();
    assert_eq!(paged(&ledger).await.unwrap(), 5_000);
    assert_eq!(followed(&ledger, 5_000).await.unwrap(), 5_000);
    let gone = Position::new(1_000);
    for way in ["a page after the other", "followed", "numbered", "from the end"] {
        std::fs::write(&marks.path, &kept).unwrap();
        let scavenged = Tripping::over(stored.clone());
        scavenged.scavenge(gone);
        let server = Server::start(Arc::new(scavenged));
        let ledger = connect_to(&server, &marks).await.unwrap();
        let read = match way {
            "a page after the other" => paged(&ledger).await,
            "followed" => followed(&ledger, 4_999).await,
            "numbered" => {
                let read = ledger.read_all(Position::new(1_010), Direction::Backwards, 1).await;
                read.map(|read| read[0].ordinal)
            }
            _ => ledger.read_all(END, Direction::Backwards, 4_500).await.map(|_| 0),
        };
        assert!(matches!(read, Err(ReadError::Truncated { .. })), "{way}: {read:?}");
        assert_eq!(ledger.findings().len(), 1, "{way}");
        // The next process does not rely on what was counted.
        let again = connect_to(&server, &marks).await;
        assert!(matches!(again, Err(ReadError::Truncated { .. })), "{way}: {again:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_lags_is_not_taken_for_a_ledger_that_was_put_back() {
    let (stored, late) = (MemoryLedger::new(), MemoryLedger::new());
    fill(&stored, 0, 4_200, 1).await;
    fill(&late, 0, 3_000, 1).await;
    let (_directory, marks) = marked(&stored).await;
    let kept = std::fs::read(&marks.path).unwrap();
    let cluster = Cluster::new();
    let follower = Server::start_in(Arc::new(late), &cluster, 0);
    let leader = Server::start_in(Arc::new(stored), &cluster, 1);
    cluster.members.send_replace(vec![follower.address, leader.address]);
    cluster.leader.send_replace(1);
    let address = format!("esdb://{}?tls=false&nodePreference=follower", follower.address);
    let ledger = connect(&address, &marks).await.unwrap();
    assert_eq!(ledger.head().await.unwrap(), Position::new(4_200));
    let last = ledger.read_all(END, Direction::Backwards, 1).await.unwrap();
    assert_eq!(last[0].ordinal, 4_200);
    assert_eq!(std::fs::read(&marks.path).unwrap(), kept, "the marks are kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_store_that_refuses_a_kept_position_is_another_one() {
    let stored = MemoryLedger::new();
    fill(&stored, 0, 4_200, 1).await;
    let (_directory, marks) = marked(&stored).await;
    let last = stored.read_all(END, Direction::Backwards, 1).await.unwrap().remove(0);
    let other = MemoryLedger::new();
    fill(&other, 0, 300, 2).await;
    let server = Server::start_refusing(Arc::new(other), 300);
    let ledger = connect_to(&server, &marks).await.unwrap();
    assert_eq!(ledger.counted(), 300);
    let refused = ledger.read_all(last.position, Direction::Backwards, 1).await;
    assert!(matches!(refused, Err(ReadError::Engine { .. })), "{refused:?}");
    let book = Book::new(Arc::new(ledger), Arc::new(Vault::in_memory()));
    let since = Some(ReviewedTo { position: last.position, id: last.id });
    let how = ReviewHow { since, repeat: true, ..ReviewHow::default() };
    let review = book.review_keys(how).await.unwrap();
    assert_eq!(review.to.map(|to| to.position), Some(Position::new(300)));
}
