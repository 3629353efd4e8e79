//! From CloudEvents to facts in the book.
//!
//! A fact is recorded as it was: what can be understood is taken, once for each source and id. The
//! same source and id with other content is a conflict, and nothing of it is recorded.
//! The data of an event is its body as the ledger writes it, personal fields in the clear; they are
//! sealed on the way in.

mod body;
mod repeated;
mod subject;

use std::collections::HashMap;
use std::collections::hash_map::Entry::Vacant;
use std::sync::Arc;

use cx_ledger::{AppendError, Book, BookError, Entry, Expected};
use cx_model::decide::{Instrument, check_fact};
use cx_model::{
    Actor, CustomerId, Envelope, Event, InstrumentId, NewEvent, Position, Recorded, Source,
    StreamName,
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

use crate::ingest::{CloudEvent, Intake, IntakeError, Outcome};
pub(crate) use body::OWN as LEDGERS_OWN;
use subject::{Subject, Subjects};

/// Where events go that could not be taken, to be mended and taken again.
pub trait Aside: Send + Sync + 'static {
    /// Keeps an event with the reason it was not taken, durably. Personal data: sealed before it is
    /// written. What fails is for the log; the sender is told to send again later.
    fn keep(&self, event: &CloudEvent, reason: &str) -> Result<(), String>;
}

/// Takes CloudEvents into the book.
pub struct BookIntake {
    book: Book,
    aside: Option<Arc<dyn Aside>>,
}

/// Why one event is not taken, without personal data.
type Reason = String;

/// A fact on its way to its stream.
struct Fact {
    subject: Subject,
    new: NewEvent,
}

impl BookIntake {
    /// An intake over a book.
    pub fn new(book: Book) -> Self {
        Self { book, aside: None }
    }

    /// Keeps what is quarantined.
    #[must_use]
    pub fn with_aside(self, aside: Arc<dyn Aside>) -> Self {
        Self { aside: Some(aside), ..self }
    }

    async fn take_all(&self, items: &[CloudEvent]) -> Result<Vec<Outcome>, IntakeError> {
        let mut instruments = HashMap::new();
        let mut facts = Vec::with_capacity(items.len());
        for item in items {
            facts.push(match fact(item) {
                Ok(fact) => self.checked(fact, &mut instruments).await?,
                Err(reason) => Err(reason),
            });
        }
        let mut subjects = Subjects::find(&self.book, facts.iter().flatten().map(|f| &f.subject))
            .await
            .map_err(|error| unavailable(&error))?;
        let mut entries = Vec::with_capacity(facts.len());
        let mut planned = Vec::with_capacity(facts.len());
        let mut firsts: HashMap<Uuid, usize> = HashMap::new();
        for fact in facts {
            planned.push(fact.map(|Fact { subject, new }| {
                let stream = subjects.stream(&subject);
                let erased = CustomerId::of_stream(&stream);
                if erased.is_some_and(|customer| self.book.vault().is_erased(customer)) {
                    return (stream, None);
                }
                let place = *firsts.entry(new.id).or_insert_with(|| {
                    entries.extend(subjects.opening(&subject, &new.envelope));
                    let (stream, events) = (stream.clone(), vec![new]);
                    entries.push(Entry { stream, expected: Expected::Any, events });
                    entries.len() - 1
                });
                (stream, Some(place))
            }));
        }
        let answers = self.append(entries).await?;
        let mut told = vec![false; answers.len()];
        let mut outcomes = Vec::with_capacity(items.len());
        for (item, planned) in items.iter().zip(planned) {
            outcomes.push(match planned {
                Err(reason) => Outcome::Quarantined { reason },
                Ok((stream, None)) => self.of_erased(item, &stream).await?,
                Ok((stream, Some(place))) => match &answers[place] {
                    Err(outcome) => outcome.clone(),
                    Ok((position, false)) if !std::mem::replace(&mut told[place], true) => {
                        Outcome::Taken { position: *position }
                    }
                    Ok((position, _)) => self.repeated(item, &stream, *position).await?,
                },
            });
        }
        Ok(outcomes)
    }

    /// What a source and id that came before are answered with.
    async fn repeated(
        &self,
        item: &CloudEvent,
        stream: &StreamName,
        position: Position,
    ) -> Result<Outcome, IntakeError> {
        let id = item.fact_id();
        let mut before = repeated::at(&self.book, position, id).await;
        if matches!(before, Ok(None)) {
            // Not every event store says where the first one stands.
            before = repeated::within(&self.book, stream, id).await;
        }
        let before = before.map_err(|error| unavailable(&error))?;
        Ok(before.map_or(Outcome::Repeated { position }, |before| again(item, stream, &before)))
    }

    /// What is told of an erased customer: what came before the erasure is repeated.
    async fn of_erased(
        &self,
        item: &CloudEvent,
        stream: &StreamName,
    ) -> Result<Outcome, IntakeError> {
        let before = repeated::within(&self.book, stream, item.fact_id()).await;
        let before = before.map_err(|error| unavailable(&error))?;
        let new = || Outcome::Quarantined { reason: ERASED.into() };
        Ok(before.map_or_else(new, |before| again(item, stream, &before)))
    }

    /// Refuses a fact that cannot be understood.
    async fn checked(
        &self,
        fact: Fact,
        instruments: &mut HashMap<InstrumentId, Instrument>,
    ) -> Result<Result<Fact, Reason>, IntakeError> {
        if let Event::ResponseSubmitted(response) = &fact.new.event {
            let id = response.instrument;
            if let Vacant(free) = instruments.entry(id) {
                let state = self.book.state(&id.stream()).await;
                free.insert(state.map_err(|error| unavailable(&error))?.0);
            }
        }
        let checked = check_fact(&fact.new.event, |id| instruments.get(&id));
        Ok(checked.map(|()| fact).map_err(|refusal| refusal.to_string()))
    }

    /// Appends all together; one by one if one of them is at fault.
    async fn append(
        &self,
        entries: Vec<Entry>,
    ) -> Result<Vec<Result<(Position, bool), Outcome>>, IntakeError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.book.append_many(entries.clone()).await;
        match all.map_err(at_fault) {
            Ok(done) => {
                return Ok(done.iter().map(|one| Ok((one.position, one.repeated))).collect());
            }
            Err(Ok(_)) => {}
            Err(Err(fault)) => return Err(fault),
        }
        let mut answers = Vec::with_capacity(entries.len());
        for Entry { stream, expected, events } in entries {
            let one = self.book.append(stream, expected, events).await;
            answers.push(match one.map_err(at_fault) {
                Ok(one) => Ok((one.position, one.repeated)),
                Err(Ok(outcome)) => Err(outcome),
                Err(Err(fault)) => return Err(fault),
            });
        }
        Ok(answers)
    }
}

impl Intake for BookIntake {
    fn take(&self, items: Vec<CloudEvent>) -> BoxFuture<'_, Result<Vec<Outcome>, IntakeError>> {
        Box::pin(async move {
            let outcomes = self.take_all(&items).await?;
            if let Some(aside) = &self.aside {
                for (item, outcome) in items.iter().zip(&outcomes) {
                    if let Outcome::Quarantined { reason } = outcome {
                        aside.keep(item, reason).map_err(|error| {
                            tracing::error!(error, "an event could not be put into the quarantine");
                            IntakeError::Unavailable
                        })?;
                    }
                }
            }
            Ok(outcomes)
        })
    }
}

/// The fact that a CloudEvent states.
fn fact(item: &CloudEvent) -> Result<Fact, Reason> {
    let name = item.event_name().ok_or("the type is not `cx.` and the name of an event")?;
    let subject = Subject::of(name, item.subject.as_deref())?;
    let event = body::read(name, item)?;
    let source = Source { system: item.source.clone(), id: item.id.clone() };
    let actor = Actor::System { name: item.source.clone() };
    let occurred_at = item.time.unwrap_or_else(Timestamp::now);
    let envelope = Envelope { source: Some(source), ..Envelope::new(occurred_at, actor) };
    Ok(Fact { subject, new: NewEvent { id: item.fact_id(), envelope, event } })
}

/// The answer to an event whose source and id came before.
fn again(item: &CloudEvent, stream: &StreamName, before: &Recorded) -> Outcome {
    // It could be understood a moment ago, and so it can be now.
    let Ok(Fact { new, .. }) = fact(item) else {
        return Outcome::Repeated { position: before.position };
    };
    match repeated::conflict(before, stream, &new, item.time.is_some()) {
        None => Outcome::Repeated { position: before.position },
        Some(reason) => Outcome::Conflict { reason },
    }
}

/// What one entry is at fault for, or else why nothing could be taken.
fn at_fault(error: BookError) -> Result<Outcome, IntakeError> {
    match error {
        BookError::Erased { .. } => Ok(Outcome::Quarantined { reason: ERASED.into() }),
        BookError::Append(AppendError::IdReused { .. }) => {
            Ok(Outcome::Conflict { reason: repeated::OTHER_SUBJECT.into() })
        }
        BookError::Append(AppendError::EventTooLarge { .. }) => {
            Ok(Outcome::Quarantined { reason: "the event is larger than the ledger takes".into() })
        }
        error => Err(unavailable(&error)),
    }
}

/// Why nothing of an erased customer is taken.
pub const ERASED: &str = "this customer was erased; nothing more is recorded of them";

fn unavailable(error: &BookError) -> IntakeError {
    tracing::error!(%error, "events could not be taken");
    IntakeError::Unavailable
}
