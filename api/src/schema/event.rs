//! An event of the ledger, as an auditor reads it.

use async_graphql::{Context, Enum, Json, Result, SimpleObject};
use cx_ledger::Direction;
use cx_model::{Actor, Event, Position, Precision, Recorded, Sealable, StreamName};

use super::reading::{self, ledger_failed, system};
use super::scalars::DateTime;
use crate::errors::internal;

/// What kind of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ActorKind {
    /// The customer.
    Customer,
    /// Someone who works for the organisation.
    Agent,
    /// A program.
    System,
}

/// Who did it.
#[derive(Debug, Clone, SimpleObject)]
pub struct EventActor {
    /// What kind.
    pub kind: ActorKind,
    /// The agent's id or the program's name; null for the stream's own customer.
    pub id: Option<String>,
}

/// Where a fact was known first.
#[derive(Debug, Clone, SimpleObject)]
pub struct EventSource {
    /// The system.
    pub system: String,
    /// The fact's id there.
    pub id: String,
}

/// An event, as the ledger holds it.
#[derive(Debug, Clone, SimpleObject)]
pub struct LedgerEvent {
    /// Its id.
    pub id: uuid::Uuid,
    /// Its type, such as `ResponseSubmitted`.
    #[graphql(name = "type")]
    pub event_type: String,
    /// Its stream.
    pub stream: String,
    /// Its place in the stream, from 0, as text.
    pub revision: String,
    /// Where it stands in the ledger.
    pub position: Position,
    /// When it happened to the customer.
    pub occurred_at: DateTime,
    /// How exactly that is known.
    pub precision: Precision,
    /// When the ledger took it.
    pub recorded_at: DateTime,
    /// Who did it.
    pub actor: EventActor,
    /// Where it was known first.
    pub source: Option<EventSource>,
    /// What it says. Personal values are opened; those of an erased customer read `ERASED`.
    pub body: Json<serde_json::Value>,
}

/// How an erased value reads.
pub const ERASED: &str = "ERASED";

impl LedgerEvent {
    /// The event at a revision of a stream; `None` if there is none.
    pub async fn of_revision(
        ctx: &Context<'_>,
        stream: &StreamName,
        revision: u64,
    ) -> Result<Option<Self>> {
        let ledger = system(ctx).book.ledger();
        let read = ledger.read_stream(stream, revision, Direction::Forwards, 1);
        let Some(raw) = read.await.map_err(ledger_failed)?.pop() else { return Ok(None) };
        let recorded = cx_ledger::decode(&raw).map_err(internal)?;
        Self::open(ctx, recorded).map(Some)
    }

    /// The event at a position; `None` if there is none.
    pub async fn of_position(ctx: &Context<'_>, position: Position) -> Result<Option<Self>> {
        let ledger = system(ctx).book.ledger();
        let read = ledger.read_all(position, Direction::Backwards, 1);
        let found = read.await.map_err(ledger_failed)?.pop();
        let Some(raw) = found.filter(|raw| raw.position == position) else { return Ok(None) };
        let recorded = cx_ledger::decode(&raw).map_err(internal)?;
        Self::open(ctx, recorded).map(Some)
    }

    /// Opens the personal values of an event.
    pub fn open(ctx: &Context<'_>, mut recorded: Recorded) -> Result<Self> {
        system(ctx).book.open(&mut recorded).map_err(reading::book_failed)?;
        let body = body_of(&mut recorded.event);
        let actor = match recorded.envelope.actor {
            Actor::Customer { id } => {
                EventActor { kind: ActorKind::Customer, id: id.map(|id| format!("{id:?}")) }
            }
            Actor::Agent { id } => {
                EventActor { kind: ActorKind::Agent, id: Some(format!("{id:?}")) }
            }
            Actor::System { name } => EventActor { kind: ActorKind::System, id: Some(name) },
        };
        let source = recorded.envelope.source;
        Ok(Self {
            id: recorded.id,
            event_type: recorded.event.event_type().to_owned(),
            stream: recorded.stream.as_str().to_owned(),
            revision: recorded.revision.to_string(),
            position: recorded.position,
            occurred_at: DateTime(recorded.envelope.occurred_at),
            precision: recorded.envelope.precision,
            recorded_at: DateTime(recorded.recorded_at),
            actor,
            source: source.map(|source| EventSource { system: source.system, id: source.id }),
            body: Json(body),
        })
    }
}

/// The event's body as JSON, with clear values in place and `ERASED` where one is gone.
pub fn body_of(event: &mut Event) -> serde_json::Value {
    let mut values = Vec::new();
    event.personal(&mut |path, value| {
        values.push((path.to_owned(), take_clear(value)));
    });
    let mut body = cx_model::codec::body_json(event);
    for (path, value) in values {
        set(&mut body, &path, value);
    }
    body
}

/// Takes a clear value out, leaving a sealed nothing, so that the rest can be written.
fn take_clear(value: &mut dyn Sealable) -> serde_json::Value {
    let clear = value.clear_json();
    let nothing = cx_model::SealedValue {
        v: 1,
        key: String::new(),
        alg: String::new(),
        salt: String::new(),
        commitment: String::new(),
        ciphertext: String::new(),
    };
    value.seal(nothing);
    match clear {
        Some(json) => serde_json::from_slice(&json).unwrap_or_else(|_| ERASED.into()),
        None => ERASED.into(),
    }
}

/// Puts a value at a path such as `answers.3.text`: a step that is not there leads into `value`.
fn set(body: &mut serde_json::Value, path: &str, value: serde_json::Value) {
    let mut at = body;
    for step in path.split('.') {
        let next = match step.parse::<usize>() {
            Ok(place) => at.get_mut(place),
            Err(_) if at.get(step).is_some() => at.get_mut(step),
            Err(_) => at.get_mut("value").and_then(|inner| inner.get_mut(step)),
        };
        match next {
            Some(next) => at = next,
            None => return,
        }
    }
    *at = value;
}
