//! A ledger that a test can trip: reads of a stream that fail, work on a stream that waits, and events
//! that are gone.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cx_ledger::{
    Append, AppendError, Appended, Direction, Follow, Health, Ledger, MemoryLedger, RawEvent,
    ReadError,
};
use cx_model::{Position, StreamName};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

/// A ledger in memory, and what trips it. Clones share both.
#[derive(Clone, Default)]
pub struct Tripping {
    ledger: MemoryLedger,
    trips: Arc<Trips>,
}

/// What is done with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    Appending,
    ReadingForwards,
}

#[derive(Default)]
struct Trips {
    gone: Mutex<HashSet<Position>>,
    failing: Mutex<HashSet<String>>,
    held: watch::Sender<HashSet<(Work, String)>>,
    waiting: watch::Sender<usize>,
    largest: AtomicUsize,
    /// How often the feeds broke.
    breaks: watch::Sender<usize>,
}

/// A feed that ends for ever once feeds break.
struct Feed {
    trips: Arc<Trips>,
    follow: Box<dyn Follow>,
    breaks: watch::Receiver<usize>,
    made: usize,
}

impl Feed {
    async fn next_there(&mut self, limit: usize) -> Result<Vec<RawEvent>, ReadError> {
        loop {
            let read = self.trips.there(self.follow.next(limit).await?);
            if !read.is_empty() {
                return Ok(read);
            }
        }
    }
}

impl Trips {
    /// Without what is gone.
    fn there(&self, mut read: Vec<RawEvent>) -> Vec<RawEvent> {
        let gone = self.gone.lock().unwrap();
        read.retain(|event| !gone.contains(&event.position));
        read
    }
}

impl Follow for Feed {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        let (made, mut breaks) = (self.made, self.breaks.clone());
        async move {
            tokio::select! {
                biased;
                _ = breaks.wait_for(|breaks| *breaks > made) => {
                    Err(ReadError::Engine { reason: "a test wants it".into() })
                }
                read = self.next_there(limit) => read,
            }
        }
        .boxed()
    }
}

impl Tripping {
    /// Over a ledger that has events.
    pub fn over(ledger: MemoryLedger) -> Self {
        Self { ledger, ..Self::default() }
    }

    /// The event at this position is gone for whoever reads all events, as if it were scavenged.
    pub fn scavenge(&self, position: Position) {
        self.trips.gone.lock().unwrap().insert(position);
    }

    /// Reads of this stream fail from now on, or do not.
    pub fn fail(&self, stream: &str, fails: bool) {
        let mut failing = self.trips.failing.lock().unwrap();
        if fails {
            failing.insert(stream.into())
        } else {
            failing.remove(stream)
        };
    }

    /// Every feed that is open fails, now and whenever it is asked again; others do not.
    pub fn break_feeds(&self) {
        self.trips.breaks.send_modify(|breaks| *breaks += 1);
    }

    /// Such work on this stream waits from now on.
    pub fn hold(&self, work: Work, stream: &str) {
        self.trips.held.send_modify(|held| {
            held.insert((work, stream.into()));
        });
    }

    /// What waits goes on.
    pub fn release(&self) {
        self.trips.held.send_modify(HashSet::clear);
    }

    /// Until something waits.
    pub async fn until_held(&self) {
        self.trips.waiting.subscribe().wait_for(|waiting| *waiting > 0).await.unwrap();
    }

    /// The bytes of data that the largest read gave.
    pub fn largest_read(&self) -> usize {
        self.trips.largest.load(Ordering::Relaxed)
    }

    /// What a read gives that stops at so many bytes.
    fn given(&self, mut read: Vec<RawEvent>, bytes: u64) -> Vec<RawEvent> {
        let mut given = 0;
        let ends = read.iter().position(|event| {
            given += event.data.len();
            given as u64 >= bytes
        });
        read.truncate(ends.map_or(read.len(), |last| last + 1));
        let sum = read.iter().map(|event| event.data.len()).sum();
        self.trips.largest.fetch_max(sum, Ordering::Relaxed);
        read
    }

    async fn pass(&self, work: Work, stream: &StreamName) {
        let mut held = self.trips.held.subscribe();
        let work = (work, stream.to_string());
        if held.borrow().contains(&work) {
            self.trips.waiting.send_modify(|waiting| *waiting += 1);
            held.wait_for(|held| !held.contains(&work)).await.unwrap();
        }
    }
}

impl Ledger for Tripping {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        async move {
            self.pass(Work::Appending, &append.stream).await;
            self.ledger.append(append).await
        }
        .boxed()
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        async move {
            for append in &appends {
                self.pass(Work::Appending, &append.stream).await;
            }
            self.ledger.append_many(appends).await
        }
        .boxed()
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RawEvent>, ReadError>> {
        self.read_stream_within(stream, from, direction, limit, u64::MAX)
    }

    fn read_all(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        self.read_all_within(from, direction, limit, u64::MAX)
    }

    fn read_stream_within<'a>(
        &'a self,
        stream: &'a StreamName,
        from: u64,
        direction: Direction,
        limit: usize,
        bytes: u64,
    ) -> BoxFuture<'a, Result<Vec<RawEvent>, ReadError>> {
        async move {
            if self.trips.failing.lock().unwrap().contains(stream.as_str()) {
                return Err(ReadError::Engine { reason: "a test wants it".into() });
            }
            if direction == Direction::Forwards {
                self.pass(Work::ReadingForwards, stream).await;
            }
            let read = self.ledger.read_stream(stream, from, direction, limit).await?;
            Ok(self.given(read, bytes))
        }
        .boxed()
    }

    fn read_all_within(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
        bytes: u64,
    ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        async move {
            let more = limit.saturating_add(self.trips.gone.lock().unwrap().len());
            let mut read = self.trips.there(self.ledger.read_all(from, direction, more).await?);
            read.truncate(limit);
            Ok(self.given(read, bytes))
        }
        .boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        self.ledger.head()
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, ReadError>> {
        self.ledger.position_at(time)
    }

    fn follow(&self, after: Position) -> Box<dyn Follow> {
        let breaks = self.trips.breaks.subscribe();
        let made = *breaks.borrow();
        let (trips, follow) = (Arc::clone(&self.trips), self.ledger.follow(after));
        Box::new(Feed { trips, follow, breaks, made })
    }

    fn health(&self) -> Health {
        self.ledger.health()
    }
}
