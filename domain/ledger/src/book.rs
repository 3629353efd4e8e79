//! The book: events of the model in, events of the model out, with personal values sealed between.
//!
//! Everything above the event-store port goes through here. Facts are appended as they are;
//! decisions read, fold, decide and append at the revision they read, again if somebody was faster.

mod claim;
mod erase;
mod review;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cx_model::{
    Command, CustomerId, DecodeError, Envelope, Event, NewEvent, Position, Recorded, Refusal,
    State, StreamName, encode,
};
use tokio::sync::{RwLock, RwLockReadGuard};
use uuid::Uuid;

pub use claim::{Claim, Wanted};
pub use erase::Erasure;
pub use review::{ACCEPT_KEYS, Review, ReviewHow, ReviewedTo};

use crate::decode::decode;
use crate::error::{AppendError, ReadError};
use crate::port::{Append, Appended, Direction, Expected, Ledger, RawNewEvent};
use crate::vault::{self, Vault, VaultError};

/// Events read at a time.
const PAGE: usize = 1024;
/// More events than this are sealed on a thread that may block.
const SEALED_INLINE: usize = 32;
/// How often a decision is taken again because another writer was faster.
const ATTEMPTS: usize = 32;

/// A call on the book failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// Nothing is recorded of a customer who was erased.
    #[error("customer {customer} was erased; nothing more is recorded of them")]
    Erased {
        /// Who.
        customer: CustomerId,
    },
    /// Nobody heard of this customer.
    #[error("customer {customer} is not in the ledger")]
    UnknownCustomer {
        /// Who.
        customer: CustomerId,
    },
    /// An idempotency key came back with another request.
    #[error("this idempotency key was used for another request; use a new key for a new request")]
    KeyReused,
    /// The append was not made.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event in the ledger cannot be understood.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A personal value could not be sealed or opened.
    #[error(transparent)]
    Vault(VaultError),
    /// The keys are not those of this ledger.
    #[error(
        "the event at position {first} holds a personal value that was sealed with other keys \
         ({values} such values up to position {last}): all nodes of a ledger share one directory of \
         keys, which CXLEDGER_KEYS names; put the ledger's keys there, or the newest backup of \
         them. If those keys are lost and these values may stay unreadable, start once with \
         {ACCEPT_KEYS}={last}"
    )]
    ForeignKeys {
        /// The first event that shows it.
        first: Position,
        /// The last one.
        last: Position,
        /// So many values were sealed with other keys.
        values: u64,
    },
    /// The work was cut off by a shutdown.
    #[error("the ledger is shutting down; append again with the same event ids")]
    Stopped,
}

impl From<VaultError> for BookError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Erased { customer } => Self::Erased { customer },
            error => Self::Vault(error),
        }
    }
}

/// A decision was refused, or could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum DecideError<E> {
    /// The model says no.
    #[error("{0}")]
    Refused(E),
    /// The machine could not.
    #[error(transparent)]
    Book(BookError),
}

impl<E, B: Into<BookError>> From<B> for DecideError<E> {
    fn from(error: B) -> Self {
        Self::Book(error.into())
    }
}

/// Events for one stream.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The stream.
    pub stream: StreamName,
    /// What must be true of it.
    pub expected: Expected,
    /// What happened, in order.
    pub events: Vec<NewEvent>,
}

/// One deed of a user: what surrounds its events, and the key that makes it count once.
#[derive(Debug, Clone)]
pub struct Act {
    key: Uuid,
    request: Option<Uuid>,
    envelope: Envelope,
}

impl Act {
    /// A deed that nobody will repeat.
    pub fn new(envelope: Envelope) -> Result<Self, BookError> {
        Ok(Self { key: random_id()?, request: None, envelope })
    }

    /// The id of something that the deed creates. A repeated deed gives the same id.
    pub fn id_of(&self, what: &str) -> Uuid {
        Uuid::new_v5(&self.key, what.as_bytes())
    }

    /// The id of the deed's n-th event.
    pub fn event_id(&self, n: usize) -> Uuid {
        Uuid::new_v5(&self.key, &(n as u64).to_be_bytes())
    }

    /// What surrounds its events.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The events of the deed, with their ids and surroundings.
    pub fn events(&self, events: Vec<Event>) -> Vec<NewEvent> {
        let mut envelope = self.envelope.clone();
        envelope.correlation = envelope.correlation.or(self.request);
        let new = |(n, event)| NewEvent { id: self.event_id(n), envelope: envelope.clone(), event };
        events.into_iter().enumerate().map(new).collect()
    }
}

/// The answer to a decision.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The position of its last event; of the stream's last event if nothing had to happen.
    pub position: Position,
    /// The revision of its last event, `None` if nothing happened in a stream without events.
    pub revision: Option<u64>,
    /// The same deed had been done before; nothing was written now.
    pub repeated: bool,
    /// The ids of its events, in order. Empty for a repeated deed.
    pub events: Vec<Uuid>,
}

/// While it is held no customer is erased: see [`Book::no_erasure`].
#[must_use = "erasures wait only while it is held"]
pub struct NoErasure<'a> {
    _gate: RwLockReadGuard<'a, ()>,
}

/// The ledger as the model sees it. Cheap to clone.
#[derive(Clone)]
pub struct Book {
    ledger: Arc<dyn Ledger>,
    vault: Arc<Vault>,
    /// Appends hold it together, an erasure alone: nothing lands behind an erasure.
    gate: Arc<RwLock<()>>,
}

impl Book {
    /// A book over an engine and its vault. Make one a process and clone it.
    pub fn new(ledger: Arc<dyn Ledger>, vault: Arc<Vault>) -> Self {
        Self { ledger, vault, gate: Arc::default() }
    }

    /// The engine below.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// The keys.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Keeps erasures waiting, for whoever appends to the engine below: from the question whether a
    /// customer is erased until the events are durable. Whoever holds it calls nothing of the book
    /// that appends, since both would wait for an erasure that waits for them.
    pub async fn no_erasure(&self) -> NoErasure<'_> {
        NoErasure { _gate: self.gate.read().await }
    }

    /// A deed that counts once: the same idempotency key with the same request gives the first
    /// answer again, with another request it is refused.
    pub fn act_once(&self, idempotency_key: &str, request: &[u8], envelope: Envelope) -> Act {
        let key = self.vault.keyed_id("act", &[idempotency_key.as_bytes()]);
        let request = self.vault.keyed_id("request", &[idempotency_key.as_bytes(), request]);
        Act { key, request: Some(request), envelope }
    }

    /// Appends facts to one stream, sealed and durable. Refused whole for an erased customer.
    pub async fn append(
        &self,
        stream: StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, BookError> {
        let _open = self.gate.read().await;
        let mut appends = self.seal(vec![Entry { stream, expected, events }]).await?;
        let append = appends.pop().expect("one entry gives one append");
        Ok(self.ledger.append(append).await?)
    }

    /// Appends facts to several streams; all or none on the embedded log. New customers' keys cost
    /// one sync together. Refused whole if it names an erased customer, whom the error names.
    pub async fn append_many(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, BookError> {
        let _open = self.gate.read().await;
        let appends = self.seal(entries).await?;
        Ok(self.ledger.append_many(appends).await?)
    }

    /// The whole history of a stream, oldest first. Personal values stay sealed.
    pub async fn history(&self, stream: &StreamName) -> Result<Vec<Recorded>, BookError> {
        let mut history = Vec::new();
        self.read_from(stream, 0, |event| history.push(event)).await?;
        Ok(history)
    }

    /// Opens the personal values of an event that was read. What stays sealed is erased.
    pub fn open(&self, event: &mut Recorded) -> Result<(), BookError> {
        Ok(self.vault.open_event(&event.stream, event.id, &mut event.event)?)
    }

    /// What a stream's events add up to, and the revision of the last one.
    pub async fn state<S: State>(
        &self,
        stream: &StreamName,
    ) -> Result<(S, Option<u64>), BookError> {
        let (mut state, mut revision) = (S::default(), None);
        self.read_from(stream, 0, |event| {
            revision = Some(event.revision);
            state.apply(&event);
        })
        .await?;
        Ok((state, revision))
    }

    /// Gives a command to the model: see [`decide`](Self::decide).
    pub async fn command<C: Command + Sync>(
        &self,
        stream: &StreamName,
        act: &Act,
        command: &C,
    ) -> Result<Decided, DecideError<Refusal>> {
        self.decide(stream, act, |state: &C::State| command.decide(state)).await
    }

    /// Takes a decision: reads the stream, folds it, decides, and appends the events if the stream
    /// is still as it was read; otherwise reads what came and decides again. A deed that was done
    /// before is not decided again.
    pub async fn decide<S: State, E>(
        &self,
        stream: &StreamName,
        act: &Act,
        decide: impl Fn(&S) -> Result<Vec<Event>, E> + Send,
    ) -> Result<Decided, DecideError<E>> {
        let _open = self.gate.read().await;
        let (mut state, mut last, mut earlier) = (S::default(), None, Earlier::default());
        for attempt in 1.. {
            let from = last.map_or(0, |(revision, _)| revision + 1);
            self.read_from(stream, from, |event| {
                last = Some((event.revision, event.position));
                earlier.look(act, &event);
                state.apply(&event);
            })
            .await?;
            if let Some(done) = earlier.answer(act)? {
                return Ok(done);
            }
            let events = act.events(decide(&state).map_err(DecideError::Refused)?);
            let ids: Vec<_> = events.iter().map(|event| event.id).collect();
            if events.is_empty() {
                let (revision, position) = last.unzip();
                let position = position.unwrap_or(Position::START);
                return Ok(Decided { position, revision, repeated: false, events: ids });
            }
            let expected = last.map_or(Expected::NoStream, |(at, _)| Expected::Revision(at));
            let entry = Entry { stream: stream.clone(), expected, events };
            let append = self.seal(vec![entry]).await?.pop().expect("one entry gives one append");
            match self.ledger.append(append).await {
                Ok(Appended { revision, position, repeated }) => {
                    return Ok(Decided { position, revision, repeated, events: ids });
                }
                Err(AppendError::Conflict { .. }) if attempt < ATTEMPTS => {}
                Err(AppendError::IdReused { .. }) => return Err(BookError::KeyReused.into()),
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Hands every event of a stream from a revision on to a function.
    async fn read_from(
        &self,
        stream: &StreamName,
        mut from: u64,
        mut take: impl FnMut(Recorded) + Send,
    ) -> Result<(), BookError> {
        loop {
            let page = self.ledger.read_stream(stream, from, Direction::Forwards, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.revision + 1;
            let complete = page.len() < PAGE;
            for raw in &page {
                take(decode(raw)?);
            }
            if complete {
                return Ok(());
            }
        }
    }

    /// Seals and encodes. New keys, and much work, go to a thread that may block.
    async fn seal(&self, entries: Vec<Entry>) -> Result<Vec<Append>, BookError> {
        let customers = vault::customers(entries.iter().map(|entry| &entry.stream));
        let erased = customers.iter().find(|customer| self.vault.is_erased(**customer));
        if let Some(&customer) = erased {
            return Err(BookError::Erased { customer });
        }
        let count: usize = entries.iter().map(|entry| entry.events.len()).sum();
        let vault = Arc::clone(&self.vault);
        if count <= SEALED_INLINE && !vault.lacks_key(&customers) {
            return seal_now(&vault, entries);
        }
        tokio::task::spawn_blocking(move || seal_now(&vault, entries))
            .await
            .map_err(|_| BookError::Stopped)?
    }
}

/// Finds what an earlier call with the same idempotency key did.
#[derive(Default)]
struct Earlier {
    found: usize,
    last: Option<(u64, Position)>,
    request: Option<Uuid>,
}

impl Earlier {
    fn look(&mut self, act: &Act, event: &Recorded) {
        if event.id == act.event_id(self.found) {
            self.found += 1;
            self.last = Some((event.revision, event.position));
            self.request = event.envelope.correlation;
        }
    }

    fn answer(&self, act: &Act) -> Result<Option<Decided>, BookError> {
        let Some((revision, position)) = self.last else { return Ok(None) };
        if act.request.is_some() && act.envelope.correlation.or(act.request) != self.request {
            return Err(BookError::KeyReused);
        }
        let events = (0..self.found).map(|n| act.event_id(n)).collect();
        Ok(Some(Decided { position, revision: Some(revision), repeated: true, events }))
    }
}

fn seal_now(vault: &Vault, mut entries: Vec<Entry>) -> Result<Vec<Append>, BookError> {
    let with_values = entries.iter_mut().filter_map(|entry| {
        let holds = entry.events.iter_mut().any(|event| has_clear(&mut event.event));
        holds.then_some(&entry.stream)
    });
    vault.ensure(&vault::customers(with_values))?;
    entries.into_iter().map(|entry| seal_entry(vault, entry)).collect()
}

fn has_clear(event: &mut Event) -> bool {
    let mut clear = false;
    event.personal(&mut |_, value| clear |= value.sealed().is_none());
    clear
}

fn seal_entry(vault: &Vault, mut entry: Entry) -> Result<Append, BookError> {
    vault.seal_events(&entry.stream, &mut entry.events)?;
    let mut events = Vec::with_capacity(entry.events.len());
    for NewEvent { id, envelope, event } in &entry.events {
        let encoded = encode(envelope, event)
            .map_err(|error| AppendError::Engine { reason: error.to_string() })?;
        events.push(RawNewEvent {
            id: *id,
            event_type: event.event_type().into(),
            data: encoded.data.into(),
            metadata: encoded.metadata.into(),
        });
    }
    Ok(Append { stream: entry.stream, expected: entry.expected, events })
}

/// A random id.
fn random_id() -> Result<Uuid, BookError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| BookError::Vault(VaultError::Random { reason: error.to_string() }))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
