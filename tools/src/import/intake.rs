//! Where prepared rows go: the book, in batches.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use anyhow::{Context, bail};
use cx_ledger::book::{Book, BookError, Entry, Wanted};
use cx_ledger::{AppendError, Appended, Direction, Expected};
use cx_model::event::{CustomerRegistered, IdentifierAttached};
use cx_model::{Actor, CustomerId, Envelope, Event, NewEvent, Personal, StreamName, derived_id};
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::catalogue::Catalogue;
use super::prepare::{Identifier, Known, Prepared, Who};
use super::source::hex;

/// So many customers are remembered, so that memory does not grow with the file.
const REMEMBERED: usize = 500_000;

/// So many erased customers are remembered.
const REMEMBERED_ERASED: usize = 1_000;

/// Events of an erased customer that are read at once.
const PAGE: usize = 1_000;

/// Appends that become one record of the log, about.
const GROUP: usize = 32;

/// Why a row of an erased customer is not taken.
pub const ERASED: &str = "the customer was erased";

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the ledger now.
    Taken,
    /// It was there before.
    Repeated,
    /// It cannot be taken, for this reason.
    Refused(String),
}

/// Appends prepared rows to the book and finds the customers they belong to.
pub struct Intake<'a> {
    book: &'a Book,
    runtime: &'a Runtime,
    customers: HashMap<Identifier, CustomerId>,
    /// The ids of what the ledger has of erased customers.
    erased: HashMap<CustomerId, HashSet<Uuid>>,
}

impl<'a> Intake<'a> {
    /// An intake that remembers nobody yet.
    pub fn new(book: &'a Book, runtime: &'a Runtime) -> Self {
        Self { book, runtime, customers: HashMap::new(), erased: HashMap::new() }
    }

    /// Appends events that belong to no row.
    pub fn append(
        &self,
        stream: StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, BookError> {
        self.runtime.block_on(self.book.append(stream, expected, events))
    }

    /// Says what the mapping says of touchpoints and questionnaires, once.
    pub fn catalogue(&self, catalogue: &Catalogue, envelope: &Envelope) -> anyhow::Result<()> {
        for (stream, event) in &catalogue.events {
            let instrument = matches!(event, Event::InstrumentPublished(_));
            let expected = if instrument { Expected::NoStream } else { Expected::Any };
            let encoded = cx_model::encode(&Envelope::new(Timestamp::UNIX_EPOCH, system()), event)?;
            let digest = hex(&Sha256::digest(&encoded.data));
            let id = derived_id(&["catalogued", stream.as_str(), &digest]);
            let event = NewEvent { id, envelope: envelope.clone(), event: event.clone() };
            match self.append(stream.clone(), expected, vec![event]) {
                Ok(_) => {}
                Err(BookError::Append(AppendError::Conflict { .. })) => bail!(
                    "an instrument of this mapping was published before with other questions, and a \
                     published instrument never changes: give it a new `key` in the mapping"
                ),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Appends rows: all durable when this returns. The outcomes are in the order of the rows.
    pub fn take(&mut self, rows: Vec<Prepared>) -> anyhow::Result<Vec<Outcome>> {
        let mut entries = self.find_customers(&rows)?;
        let mut outcomes = Vec::with_capacity(rows.len());
        let mut spans = Vec::with_capacity(rows.len());
        for row in rows {
            let customer = match &row.who {
                Who::Anonymous(customer) => *customer,
                Who::Known(known) => self.customers[&known.identifier],
            };
            let first = entries.len();
            if self.book.vault().is_erased(customer) {
                // What was told before the erasure is in the ledger, sealed for ever.
                let told = self.told(customer)?;
                let known = |event: &NewEvent| told.contains(&event.id);
                outcomes.push(if row.opening.iter().chain(&row.events).all(known) {
                    Outcome::Repeated
                } else {
                    Outcome::Refused(ERASED.into())
                });
                spans.push((first..first, first..first));
                continue;
            }
            outcomes.push(Outcome::Repeated);
            let stream = customer.stream();
            let mut push = |events: Vec<NewEvent>| {
                let entry = Entry { stream: stream.clone(), expected: Expected::Any, events };
                entries.push(entry);
            };
            for event in row.opening {
                push(vec![event]);
            }
            let own = row.events.len();
            if own > 0 {
                push(row.events);
            }
            let end = entries.len();
            let main = if own > 0 { end - 1..end } else { first..end };
            spans.push((first..end, main));
        }
        if entries.is_empty() {
            return Ok(outcomes);
        }
        let appended = self.append_all(entries)?;
        for (outcome, (_, main)) in outcomes.iter_mut().zip(spans) {
            for answer in &appended[main] {
                match answer {
                    Ok(false) if *outcome == Outcome::Repeated => *outcome = Outcome::Taken,
                    Ok(_) => {}
                    Err(reason) => *outcome = Outcome::Refused((*reason).to_owned()),
                }
            }
        }
        Ok(outcomes)
    }

    /// For each entry whether it was there before, or why it is refused.
    ///
    /// The entries go in groups side by side: the log syncs them together, and no group is so large
    /// that reading one event of it later means reading much. What belongs to one stream stays in
    /// one group, in order.
    fn append_all(&self, entries: Vec<Entry>) -> anyhow::Result<Vec<Answer>> {
        let mut groups: Vec<(Vec<usize>, Vec<Entry>)> = Vec::new();
        groups.resize_with(entries.len().div_ceil(GROUP), Default::default);
        let hasher = RandomState::new();
        let count = entries.len();
        for (place, entry) in entries.into_iter().enumerate() {
            let group = (hasher.hash_one(entry.stream.as_str()) % groups.len() as u64) as usize;
            groups[group].0.push(place);
            groups[group].1.push(entry);
        }
        let mut answers: Vec<Answer> = vec![Ok(false); count];
        let (places, groups): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
        let spawned = groups.into_iter().map(|entries| {
            let book = self.book.clone();
            self.runtime.spawn(async move { append_group(&book, entries).await })
        });
        let done = self.runtime.block_on(join_all(spawned.collect::<Vec<_>>()));
        for (places, group) in places.into_iter().zip(done) {
            for (place, answer) in places.into_iter().zip(group??) {
                answers[place] = answer;
            }
        }
        Ok(answers)
    }

    /// Finds or makes the customers of rows. Gives the events that register new ones.
    fn find_customers(&mut self, rows: &[Prepared]) -> anyhow::Result<Vec<Entry>> {
        let mut wanted: Vec<(&Arc<Known>, &Prepared)> = Vec::new();
        let mut asked: HashSet<&Identifier> = HashSet::new();
        if self.customers.len() > REMEMBERED {
            self.customers.clear();
        }
        for row in rows {
            if let Who::Known(known) = &row.who
                && !self.customers.contains_key(&known.identifier)
                && asked.insert(&known.identifier)
            {
                wanted.push((known, row));
            }
        }
        let identifiers: Vec<_> = wanted
            .iter()
            .map(|(known, _)| Wanted {
                scheme: &known.identifier.scheme,
                value: &known.identifier.value,
                customer: None,
            })
            .collect();
        let claims = identifiers.chunks(GROUP).map(|group| self.book.claim_many(group));
        let claims = self.runtime.block_on(try_join_all(claims))?;
        let claims = claims.into_iter().flatten();
        let (mut entries, mut new) = (Vec::new(), Vec::new());
        for ((known, row), claim) in wanted.into_iter().zip(claims) {
            self.customers.insert(known.identifier.clone(), claim.customer);
            let customer = claim.customer;
            if !self.book.vault().is_erased(customer) && (claim.new || self.is_empty(customer)?) {
                entries.push(registration(customer, known, row));
                new.push(customer);
            }
        }
        // One sync for all their keys, rather than one for each group.
        self.book.vault().ensure(&new)?;
        Ok(entries)
    }

    /// The ids of the events of an erased customer.
    fn told(&mut self, customer: CustomerId) -> anyhow::Result<&HashSet<Uuid>> {
        if self.erased.len() > REMEMBERED_ERASED {
            self.erased.clear();
        }
        if !self.erased.contains_key(&customer) {
            let (stream, mut ids, mut from) = (customer.stream(), HashSet::new(), 0);
            loop {
                let ledger = self.book.ledger();
                let read = ledger.read_stream(&stream, from, Direction::Forwards, PAGE);
                let events = self.runtime.block_on(read)?;
                ids.extend(events.iter().map(|event| event.id));
                match events.last() {
                    Some(last) if events.len() == PAGE => from = last.revision + 1,
                    _ => break,
                }
            }
            self.erased.insert(customer, ids);
        }
        Ok(&self.erased[&customer])
    }

    /// Whether nothing is known of a customer, because an import was cut off after the claim.
    fn is_empty(&self, customer: CustomerId) -> anyhow::Result<bool> {
        let stream = customer.stream();
        let first = self.book.ledger().read_stream(&stream, 0, Direction::Forwards, 1);
        Ok(self.runtime.block_on(first)?.is_empty())
    }
}

/// Whether an entry was there before, or why it is refused.
type Answer = Result<bool, &'static str>;

async fn append_group(book: &Book, entries: Vec<Entry>) -> anyhow::Result<Vec<Answer>> {
    use AppendError::{EventTooLarge, IdReused};
    match book.append_many(entries.clone()).await {
        Ok(appended) => return Ok(appended.iter().map(|one| Ok(one.repeated)).collect()),
        Err(BookError::Append(IdReused { .. } | EventTooLarge { .. })) => {}
        Err(error) => return Err(error).context("the rows could not be appended"),
    }
    // One of them is at fault: which one shows when each goes alone.
    let mut answers = Vec::with_capacity(entries.len());
    for entry in entries {
        answers.push(match book.append(entry.stream, entry.expected, entry.events).await {
            Ok(appended) => Ok(appended.repeated),
            Err(BookError::Append(IdReused { .. })) => {
                Err("the row was taken before, and a mapping made other events of it")
            }
            Err(BookError::Append(EventTooLarge { .. })) => {
                Err("the row makes an event that is larger than the ledger takes")
            }
            Err(error) => return Err(error).context("a row could not be appended"),
        });
    }
    Ok(answers)
}

/// The import as the one who did it.
pub fn system() -> Actor {
    Actor::System { name: "import".into() }
}

fn registration(customer: CustomerId, known: &Known, row: &Prepared) -> Entry {
    let (occurred_at, precision) = row.moment;
    let base = row.events.first().or(row.opening.first()).map(|event| &event.envelope);
    let envelope = Envelope {
        precision,
        correlation: base.and_then(|envelope| envelope.correlation),
        ..Envelope::new(occurred_at, system())
    };
    let id = |what: &str| -> Uuid { derived_id(&[what, &customer.to_string()]) };
    let registered =
        CustomerRegistered { kind: known.kind, name: known.name.clone().map(Personal::from) };
    let attached = IdentifierAttached {
        scheme: known.identifier.scheme.clone(),
        value: Personal::from(known.identifier.value.clone()),
        unique: known.unique,
    };
    let events = vec![
        NewEvent { id: id("registered"), envelope: envelope.clone(), event: registered.into() },
        NewEvent { id: id("attached"), envelope, event: attached.into() },
    ];
    Entry { stream: customer.stream(), expected: Expected::Any, events }
}
