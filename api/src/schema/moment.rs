//! Moments in the ledger's own history, and why some are refused.

use async_graphql::{Context, Error, OneofObject, Result};
use cx_ledger::{Direction, Ledger};
use cx_model::Position;
use jiff::Timestamp;

use super::reading::{ledger_failed, system};
use super::scalars::DateTime;
use crate::errors::Code;

/// A moment in the ledger's own history.
#[derive(Debug, Clone, Copy, OneofObject)]
pub enum AsOf {
    /// The events up to this position, that one included.
    Position(Position),
    /// The events that the ledger had taken by this time.
    Time(DateTime),
}

/// The position that a moment means.
pub async fn position_of(ctx: &Context<'_>, as_of: AsOf) -> Result<Position> {
    let ledger = system(ctx).book.ledger();
    let head = ledger.head().await.map_err(ledger_failed)?;
    match as_of {
        AsOf::Position(position) if position > head => Err(beyond("asOf", position, head)),
        AsOf::Position(position) => Ok(position),
        AsOf::Time(time) => {
            not_in_the_future(&**ledger, time, head).await?;
            let position = ledger.position_at(time.0).await.map_err(ledger_failed)?;
            if position == Position::START {
                return Err(before_the_first(ctx, time).await);
            }
            Ok(position)
        }
    }
}

/// Why nothing is read from beyond the ledger's end.
pub fn beyond(argument: &str, position: Position, head: Position) -> Error {
    Code::BadRequest.error_with(
        format!(
            "{argument}: position {position} lies in the future: the ledger's last one is {head}"
        ),
        [("head", head.to_string().into())],
    )
}

/// What the ledger will have taken by a time to come can still change. A clock that was set back
/// does not make its last events the future.
async fn not_in_the_future(ledger: &dyn Ledger, time: DateTime, head: Position) -> Result<()> {
    if time.0 <= Timestamp::now() {
        return Ok(());
    }
    let last = ledger.read_all(head, Direction::Backwards, 1).await.map_err(ledger_failed)?;
    let recorded = last.first().map(|event| event.recorded_at);
    if recorded.is_some_and(|recorded| time.0 <= recorded) {
        return Ok(());
    }
    let recorded = recorded.map(|at| format!(", recorded at {at}")).unwrap_or_default();
    Err(Code::BadRequest.error_with(
        format!(
            "asOf: {} lies in the future: the ledger's last position is {head}{recorded}",
            time.0
        ),
        [("head", head.to_string().into())],
    ))
}

/// Why there is nothing to read as of a time before the ledger's first event.
async fn before_the_first(ctx: &Context<'_>, time: DateTime) -> Error {
    let ledger = system(ctx).book.ledger();
    match cx_ledger::first_recorded(&**ledger).await {
        Err(error) => ledger_failed(error),
        Ok(None) => Code::BadRequest.error("the ledger has no events yet"),
        Ok(Some(first)) => Code::BadRequest.error_with(
            format!(
                "the ledger's first event was recorded at {first}, after {}: asOf means the time \
                 at which the ledger took an event, not the time at which it occurred",
                time.0
            ),
            [("firstRecordedAt", first.to_string().into())],
        ),
    }
}
