//! One call of a mutation: who does it, when it happened, and the key that makes it count once.

use async_graphql::{Context, Result, Value};
use cx_ledger::{Act, Book, DecideError, Decided};
use cx_model::decide::{Command, Refusal, State};
use cx_model::{Actor, Envelope, Position, StreamName};
use cx_projections::Projection;
use jiff::Timestamp;
use uuid::Uuid;

use super::super::reading::{self, system};
use super::super::scalars::DateTime;
use super::refused::UserError;
use crate::auth::{Caller, Role};
use crate::errors::Code;
use crate::positions::ReadPositions;

/// The longest idempotency key, in bytes.
const KEY_LIMIT: usize = 256;

/// What became of a deed.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Where it stands; `None` if it was refused.
    pub position: Option<Position>,
    /// It had been done before.
    pub duplicate: bool,
    /// Why nothing was recorded.
    pub errors: Vec<UserError>,
    /// The id of its first event, if one was written.
    pub event: Option<Uuid>,
}

impl From<UserError> for Written {
    fn from(error: UserError) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }
}

impl From<Refusal> for Written {
    fn from(refusal: Refusal) -> Self {
        UserError::from(refusal).into()
    }
}

impl From<Decided> for Written {
    fn from(decided: Decided) -> Self {
        Self {
            position: Some(decided.position),
            duplicate: decided.repeated,
            errors: Vec::new(),
            event: decided.events.first().copied(),
        }
    }
}

/// One call of a mutation.
pub struct Deed<'a> {
    /// What is written to.
    pub book: &'a Book,
    act: Act,
    positions: Option<&'a ReadPositions>,
}

impl<'a> Deed<'a> {
    /// A deed of the caller. The input makes the key the key of this request and no other.
    pub fn new(
        ctx: &Context<'a>,
        mutation: &str,
        input: &Value,
        key: Option<&str>,
        occurred_at: Option<DateTime>,
    ) -> Result<Self> {
        may_write(ctx)?;
        let book = &system(ctx).book;
        let occurred_at = occurred_at.map_or_else(Timestamp::now, |at| at.0);
        let envelope = Envelope::new(occurred_at, actor(ctx));
        let act = match key {
            Some(key) if key.is_empty() || key.len() > KEY_LIMIT => {
                return Err(Code::BadRequest
                    .error(format!("an idempotency key has 1 to {KEY_LIMIT} bytes")));
            }
            Some(key) => {
                let request = format!("{mutation} {input}");
                book.act_once(key, request.as_bytes(), envelope)
            }
            None => Act::new(envelope).map_err(reading::book_failed)?,
        };
        Ok(Self { book, act, positions: ctx.data_opt::<ReadPositions>() })
    }

    /// The id of something that the deed makes; the same for a repeated deed.
    pub fn id_of<T: From<Uuid>>(&self, what: &str) -> T {
        self.act.id_of(what).into()
    }

    /// What the events of a stream add up to.
    pub async fn state<S: State>(&self, stream: &StreamName) -> Result<S> {
        let (state, _) = self.book.state::<S>(stream).await.map_err(reading::book_failed)?;
        Ok(state)
    }

    /// Gives a command to the model.
    pub async fn command<C: Command + Sync>(
        &self,
        stream: &StreamName,
        command: &C,
    ) -> Result<Written> {
        self.written(self.book.command(stream, &self.act, command).await)
    }

    /// The answer to a decision; only faults are errors.
    fn written(&self, decided: Result<Decided, DecideError<Refusal>>) -> Result<Written> {
        match decided {
            Ok(decided) => {
                if let Some(positions) = self.positions {
                    positions.report(decided.position);
                }
                Ok(decided.into())
            }
            Err(error) => match UserError::of_decision(error) {
                Ok(refusal) => Ok(refusal.into()),
                Err(fault) => Err(reading::book_failed(fault)),
            },
        }
    }
}

/// Refuses callers who may not write.
fn may_write(ctx: &Context<'_>) -> Result<()> {
    let caller = ctx.data_opt::<Caller>().unwrap_or(&Caller::LOCAL);
    caller.must_write().map_err(|denied| denied.code().error(denied.to_string()))
}

/// Refuses callers who are no operators.
pub fn must_operate(ctx: &Context<'_>) -> Result<()> {
    let caller = ctx.data_opt::<Caller>().unwrap_or(&Caller::LOCAL);
    if caller.role == Role::Operator {
        return Ok(());
    }
    Err(Code::Forbidden
        .error("only the role operator erases customers; use a token with that role"))
}

/// The caller as the one who did it.
pub fn actor(ctx: &Context<'_>) -> Actor {
    let name = ctx.data_opt::<Caller>().and_then(|caller| caller.name.as_deref());
    Actor::System { name: name.unwrap_or("graphql").to_owned() }
}

/// How long a payload waits for the views.
const WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// Waits until every view shows a write.
pub async fn shown(ctx: &Context<'_>, position: Option<Position>) -> Result<()> {
    match position {
        Some(position) => shown_in(ctx, position, &[]).await,
        None => Ok(()),
    }
}

/// Waits until one view shows a write.
pub async fn shown_by<V: Projection>(ctx: &Context<'_>, position: Position) -> Result<()> {
    shown_in(ctx, position, &[V::NAME]).await
}

async fn shown_in(ctx: &Context<'_>, position: Position, views: &[&str]) -> Result<()> {
    let waited = system(ctx).engine.at_least(position, views, WAIT).await;
    waited.map_err(|stale| {
        let (required, current) = (stale.required.to_string(), stale.current.to_string());
        let message = format!(
            "the change is recorded at position {required}, but view {} is at {current}; read \
             again with cx-at-least: {required}",
            stale.view
        );
        Code::Stale
            .error_with(message, [("required", required.into()), ("current", current.into())])
    })
}

/// A fault of the book outside a decision, or the refusal it stands for.
pub fn refused_or_fault(error: cx_ledger::BookError) -> Result<Written> {
    match UserError::of_book(error) {
        Ok(refusal) => Ok(refusal.into()),
        Err(fault) => Err(reading::book_failed(fault)),
    }
}
