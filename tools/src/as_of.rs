//! What `--as-of` and `--at` mean: a position of the ledger, or a time at which it had taken events.

use anyhow::{Context, bail};
use cx_ledger::{Direction, Ledger};
use cx_model::Position;
use jiff::Timestamp;

/// The ledger's last event: its position, and when it was recorded.
struct End {
    position: Position,
    recorded_at: Timestamp,
}

/// The position that a text means; the head where there is none. What lies beyond the ledger's end
/// is refused: an answer as of then would change.
pub async fn position_of(ledger: &dyn Ledger, as_of: Option<&str>) -> anyhow::Result<Position> {
    position_at(ledger, as_of, Timestamp::now()).await
}

async fn position_at(
    ledger: &dyn Ledger,
    as_of: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Position> {
    let Some(text) = as_of else { return Ok(ledger.head().await?) };
    let parsed = text.parse::<Position>();
    let too_large = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if parsed.is_ok() || too_large {
        let end = end(ledger).await?;
        return match parsed {
            Ok(position) if position <= end.position => Ok(position),
            _ => bail!("position {text} is beyond the ledger's end: {}", last(&end)),
        };
    }
    let time: Timestamp = text.parse().with_context(|| {
        format!("{text} is neither a position such as 1200 nor a time such as 2026-01-31T12:00:00Z")
    })?;
    let end = end(ledger).await?;
    if time > now.max(end.recorded_at) {
        bail!("{time} lies in the future, beyond the ledger's end: {}", last(&end));
    }
    let position = ledger.position_at(time).await?;
    if position == Position::START
        && let Some(first) = cx_ledger::first_recorded(ledger).await?
    {
        bail!(
            "the ledger's first event was recorded at {first}, after {time}: the time here is the \
             one at which the ledger took an event, not the one at which it occurred"
        );
    }
    Ok(position)
}

async fn end(ledger: &dyn Ledger) -> anyhow::Result<End> {
    let last = ledger.read_all(Position::new(u64::MAX), Direction::Backwards, 1).await?;
    match last.first() {
        Some(last) => Ok(End { position: last.position, recorded_at: last.recorded_at }),
        None => bail!("the ledger has no events yet"),
    }
}

fn last(end: &End) -> String {
    let End { position, recorded_at } = end;
    format!(
        "its last event is at position {position} and was recorded at {recorded_at}; give one up to \
         there, or leave it out for the head"
    )
}

#[cfg(test)]
mod tests {
    use cx_ledger::{Append, Expected, MemoryLedger, RawNewEvent};
    use cx_model::StreamName;

    use super::*;

    async fn ledger_of(count: u128) -> MemoryLedger {
        let ledger = MemoryLedger::new();
        for n in 0..count {
            let event = RawNewEvent {
                id: uuid::Uuid::from_u128(n + 1),
                event_type: "T".into(),
                data: "{}".into(),
                metadata: "{}".into(),
            };
            let stream = StreamName::new("free").unwrap();
            let append = Append { stream, expected: Expected::Any, events: vec![event] };
            ledger.append(append).await.unwrap();
        }
        ledger
    }

    #[tokio::test]
    async fn what_lies_beyond_the_end_is_refused_with_where_the_end_is() {
        let ledger = ledger_of(3).await;
        let end = end(&ledger).await.unwrap();
        let refused =
            async |text: &str| position_of(&ledger, Some(text)).await.unwrap_err().to_string();
        let beyond = end.position.to_string().parse::<u64>().unwrap() + 1;
        for text in [beyond.to_string().as_str(), "9999-01-01T00:00:00Z"] {
            let said = refused(text).await;
            assert!(said.contains("beyond the ledger's end"), "{said}");
            assert!(said.contains(&format!("position {} ", end.position)), "{said}");
            assert!(said.contains(&end.recorded_at.to_string()), "{said}");
        }
        assert!(refused("soon").await.contains("neither a position"));
        assert!(refused("1999-01-01T00:00:00Z").await.contains("first event"));
    }

    #[tokio::test]
    async fn the_end_itself_and_a_time_since_it_that_has_passed_are_answered() {
        let ledger = ledger_of(3).await;
        let head = ledger.head().await.unwrap();
        assert_eq!(position_of(&ledger, Some(&head.to_string())).await.unwrap(), head);
        assert_eq!(position_of(&ledger, None).await.unwrap(), head);
        let recorded_at = end(&ledger).await.unwrap().recorded_at.to_string();
        assert_eq!(position_of(&ledger, Some(&recorded_at)).await.unwrap(), head);
        let later = Timestamp::now() + jiff::SignedDuration::from_hours(2);
        let passed = later - jiff::SignedDuration::from_hours(1);
        let found = position_at(&ledger, Some(&passed.to_string()), later).await;
        assert_eq!(found.unwrap(), head);
    }

    #[tokio::test]
    async fn a_ledger_without_events_says_so() {
        let ledger = MemoryLedger::new();
        let error = position_of(&ledger, Some("1")).await.unwrap_err().to_string();
        assert!(error.contains("no events yet"), "{error}");
    }
}
