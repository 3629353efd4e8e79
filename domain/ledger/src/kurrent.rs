//! The ledger on KurrentDB or EventStoreDB, through the official client under a supervisor.
//!
//! The client gives up in ways that a ledger may not: it never recovers from a first connection
//! that failed, never asks another seed, repeats and loses events over a reconnect, spins on a
//! subscription that ends well, and retries no append. So nothing here relies on it: clients are
//! built again (`clients`), a subscription is one task's and its place is ours (`follow`), an
//! append of unknown outcome is looked for before it is made again (`append`), and every wait
//! ends. The events are counted as they come (`census`), which numbers them and finds gaps.

mod append;
mod census;
mod clients;
mod event;
mod follow;
mod generation;
mod guard;
pub mod kept;
mod marks;
mod metadata;
mod pulse;
mod read;
pub mod settings;
mod trouble;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cx_model::{Position, StreamName};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::{AppendError, ReadError};
use crate::limits::check_limits;
use crate::port::{Append, Appended, Direction, Follow, Health, Ledger, RawEvent};
use census::Census;
use clients::Clients;
pub use marks::Marks;
pub use settings::{KurrentSettings, Patience, SettingsError};

/// How long an outage lasts before the ledger says that it takes no appends.
const PATIENT: Duration = Duration::from_secs(2);

/// The ledger on an event store elsewhere. Clones share their connection.
#[derive(Clone)]
pub struct KurrentLedger {
    inner: Arc<Inner>,
}

/// What the calls, the followers and the pulse share.
struct Inner {
    clients: Arc<Clients>,
    census: Mutex<Census>,
    /// Held by the one who counts on.
    counting: tokio::sync::Mutex<()>,
}

impl KurrentLedger {
    /// Connects and reads the head; fails if the event store does not answer within the deadline
    /// of a call. Call it inside a tokio runtime, which it needs as long as it lives.
    pub async fn connect(settings: KurrentSettings) -> Result<Self, ReadError> {
        let reason = settings.authority().err();
        if let Some(reason) = reason {
            return Err(ReadError::Engine { reason });
        }
        let counts = settings.marks().is_some();
        let (census, counted_to) = settings.marks().map(Census::open).unwrap_or_default();
        let clients = Arc::new(Clients::new(settings));
        let inner = Inner {
            clients: Arc::clone(&clients),
            census: Mutex::new(census),
            counting: tokio::sync::Mutex::default(),
        };
        let ledger = Self { inner: Arc::new(inner) };
        let head = ledger.inner.read_head().await.map_err(|error| match error {
            ReadError::Timeout => ReadError::Engine {
                reason: format!(
                    "{} does not answer ({}); check the address, and whether it wants TLS",
                    clients.settings.address(),
                    clients.reason().unwrap_or_else(|| "no answer".into())
                ),
            },
            error => error,
        })?;
        clients.saw(head);
        if let Some((position, id)) = counted_to {
            ledger.inner.check_marks(position, id).await?;
        }
        pulse::start(&clients);
        if counts {
            ledger.inner.count_all(head).await?;
        }
        Ok(ledger)
    }

    /// What was found in the event store that can take history away: streams of the ledger with
    /// `$maxAge`, `$maxCount` or `$tb`, or deleted ones. Empty as it should be.
    pub fn findings(&self) -> Vec<String> {
        self.inner.census().findings.clone()
    }

    /// How many events were counted, by this process or by an earlier one whose marks were kept.
    pub fn counted(&self) -> u64 {
        self.inner.census().end().ordinal
    }

    /// How often a client was built, the first one included.
    pub fn clients_built(&self) -> u64 {
        self.inner.clients.built()
    }
}

impl Inner {
    fn census(&self) -> MutexGuard<'_, Census> {
        self.census.lock().expect("no thread panics while it holds the census")
    }

    /// Forgets what an earlier process counted, unless its last event is where it was.
    async fn check_marks(&self, position: Position, id: Uuid) -> Result<(), ReadError> {
        let there = match self.read_backwards(position, 1, self.deadline()).await {
            // An event store takes no position that is none of its own. If it reads elsewhere, it
            // is the position.
            Err(ReadError::Engine { .. }) => {
                self.read_head().await?;
                Vec::new()
            }
            there => there?,
        };
        let same = there.first().is_some_and(|event| (event.position, event.id) == (position, id));
        if !same {
            tracing::warn!("what was counted before was of another ledger; counting anew");
            self.census().forget();
        }
        Ok(())
    }

    /// Until when a call that begins now may take.
    fn deadline(&self) -> Instant {
        Instant::now() + self.clients.settings.patience.call
    }

    /// How many events there are up to a position, that one included.
    async fn ordinal_at(&self, position: Position) -> Result<u64, ReadError> {
        let deadline = self.deadline();
        loop {
            let (mark, end) = {
                let census = self.census();
                census.whole()?;
                (census.mark_at(position), census.end().position)
            };
            if mark.position == position {
                return Ok(mark.ordinal);
            }
            if position < end {
                let between = self.read_forwards(mark.position, census::APART, deadline).await?;
                let mut census = self.census();
                for (event, ordinal) in between.iter().zip(mark.ordinal + 1..) {
                    census.check(event.position, ordinal)?;
                }
                let count = between.partition_point(|event| event.position <= position);
                return Ok(mark.ordinal + count as u64);
            }
            if !self.count_on(deadline).await? {
                return Ok(self.census().end().ordinal);
            }
        }
    }

    /// Counts on to a head, however long that takes: each page has a deadline of its own.
    async fn count_all(&self, head: Position) -> Result<(), ReadError> {
        let mut said = Instant::now();
        while self.census().end().position < head && self.count_on(self.deadline()).await? {
            if said.elapsed() > Duration::from_secs(5) {
                said = Instant::now();
                let counted = self.census().end().ordinal;
                tracing::warn!(counted, "counting the events that are on the event store");
            }
        }
        Ok(())
    }

    /// Counts some more events; `false` if there are none.
    async fn count_on(&self, deadline: Instant) -> Result<bool, ReadError> {
        let _counting = tokio::time::timeout_at(deadline, self.counting.lock()).await;
        let end = self.census().end().position;
        let events = self.read_forwards(end, read::PAGE, deadline).await?;
        let mut census = self.census();
        let mut before = end;
        for event in &events {
            census.take(before, event)?;
            before = event.position;
        }
        Ok(!events.is_empty())
    }

    async fn read_all_numbered(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<RawEvent>, ReadError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let deadline = self.deadline();
        let mut events = match direction {
            Direction::Forwards => self.read_forwards(from, limit, deadline).await?,
            Direction::Backwards => self.read_backwards(from, limit, deadline).await?,
        };
        let Some(first) = events.first() else { return Ok(events) };
        if direction == Direction::Forwards {
            let mut census = self.census();
            let mut before = from;
            for event in &events {
                census.take(before, event)?;
                before = event.position;
            }
        }
        let mut ordinal = self.ordinal_at(first.position).await?;
        let mut census = self.census();
        for event in &mut events {
            census.check(event.position, ordinal)?;
            event.ordinal = ordinal;
            ordinal = match direction {
                Direction::Forwards => ordinal + 1,
                Direction::Backwards => ordinal.saturating_sub(1),
            };
        }
        Ok(events)
    }

    async fn position_at(&self, time: Timestamp) -> Result<Position, ReadError> {
        let deadline = self.deadline();
        let mut mark = self.census().mark_as_of(time);
        loop {
            let events = self.read_forwards(mark.position, read::PAGE, deadline).await?;
            if events.is_empty() {
                return Ok(mark.position);
            }
            for event in &events {
                let latest = mark.latest.max(event.recorded_at);
                if latest > time {
                    return Ok(mark.position);
                }
                let mut census = self.census();
                census.take(mark.position, event)?;
                mark = census::Mark { position: event.position, ordinal: mark.ordinal + 1, latest };
                census.check(mark.position, mark.ordinal)?;
            }
        }
    }
}

impl Ledger for KurrentLedger {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        async move {
            check_limits(std::slice::from_ref(&append))?;
            self.inner.append(&append).await
        }
        .boxed()
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        async move {
            check_limits(&appends)?;
            let mut answers = Vec::with_capacity(appends.len());
            for append in &appends {
                answers.push(self.inner.append(append).await?);
            }
            Ok(answers)
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
        let deadline = self.inner.deadline();
        self.inner.read_stream(stream, from, direction, limit, deadline).boxed()
    }

    fn read_all(
        &self,
        from: Position,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RawEvent>, ReadError>> {
        self.inner.read_all_numbered(from, direction, limit).boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        self.inner.read_head().boxed()
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, ReadError>> {
        self.inner.position_at(time).boxed()
    }

    fn follow(&self, after: Position) -> Box<dyn Follow> {
        Box::new(follow::start(Arc::clone(&self.inner), after))
    }

    fn health(&self) -> Health {
        match self.inner.clients.trouble_for(PATIENT) {
            Some(reason) => Health::Away(reason),
            None => Health::Writable,
        }
    }
}

impl std::fmt::Debug for KurrentLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KurrentLedger({})", self.inner.clients.settings.address())
    }
}
