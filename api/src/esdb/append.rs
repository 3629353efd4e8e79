//! Appending: one append a call, or many on one stream.

use std::sync::Arc;

use cx_ledger::{APPEND_LIMIT, EVENT_LIMIT, Expected};
use cx_model::StreamName;
use tonic::Streaming;
use tonic::codegen::tokio_stream::StreamExt;

use super::event::{expectation, proposed};
use super::fault::{Fault, append_too_large, unread};
use super::room::{Held, Taken};
use super::store::{Outcome, Proposed, Store};
use super::whole::whole;
use super::wire::shared::{CurrentRevision, Empty};
use super::wire::streams::{
    AppendContent, AppendPosition, AppendReq, AppendResp, AppendResult, AppendSuccess,
    LegacyExpected, WrongCurrent, WrongExpected, WrongVersion,
};
use crate::auth::Caller;

/// What an event takes up beside its own bytes.
const BESIDE: usize = 256;

/// The events of one append, as they come in.
#[derive(Default)]
pub(super) struct Gathered {
    pub events: Vec<Proposed>,
    pub bytes: usize,
}

impl Gathered {
    /// Takes one more, within the limit.
    pub fn take(&mut self, event: super::wire::streams::ProposedEvent) -> Result<(), Fault> {
        let event = proposed(event)?;
        self.bytes += event.data.len() + event.metadata.len() + event.event_type.len() + BESIDE;
        if self.bytes > APPEND_LIMIT {
            return Err(append_too_large());
        }
        self.events.push(event);
        Ok(())
    }
}

/// Takes one append: its options, then its events.
pub(super) async fn append(
    store: Arc<Store>,
    caller: Caller,
    mut parts: Streaming<AppendReq>,
    held: Held,
) -> Result<AppendResp, tonic::Status> {
    let too_large = |status| unread(status, EVENT_LIMIT);
    let first = parts.next().await.transpose().map_err(too_large)?.and_then(|part| part.content);
    let Some(AppendContent::Options(options)) = first else {
        return Err(Fault::Bad("an append begins with its options".into()).into());
    };
    let (stream, expected) = expectation(Some(&options))?;
    let mut gathered = Gathered::default();
    while let Some(part) = parts.next().await.transpose().map_err(too_large)? {
        match part.content {
            Some(AppendContent::Event(event)) => gathered.take(event)?,
            _ => return Err(Fault::Bad("an append has its options once".into()).into()),
        }
    }
    let (events, room) = (gathered.events, held.all());
    let result = match appended(store, caller, stream, expected, events, room).await? {
        Outcome::Appended(appended) => AppendResult::Success(success(&appended)),
        Outcome::Conflict(actual) => AppendResult::WrongVersion(wrong_version(expected, actual)),
    };
    Ok(AppendResp { result: Some(result) })
}

/// Appends, to its end even if the client goes away; until then it has its room.
pub(super) async fn appended(
    store: Arc<Store>,
    caller: Caller,
    stream: StreamName,
    expected: Expected,
    events: Vec<Proposed>,
    room: Option<Taken>,
) -> Result<Outcome, Fault> {
    whole(async move {
        let outcome = store.append(&caller, stream, expected, events).await;
        drop(room);
        outcome
    })
    .await
}

/// The answer to an append that is durable.
pub(super) fn success(appended: &cx_ledger::Appended) -> AppendSuccess {
    AppendSuccess {
        current: Some(match appended.revision {
            Some(revision) => CurrentRevision::Revision(revision),
            None => CurrentRevision::NoStream(Empty {}),
        }),
        position: Some(AppendPosition::Position(appended.position.into())),
    }
}

fn wrong_version(expected: Expected, actual: Option<u64>) -> WrongVersion {
    let (legacy_expected, expected) = match expected {
        Expected::Revision(revision) => {
            (LegacyExpected::Revision(revision), WrongExpected::Revision(revision))
        }
        Expected::NoStream => {
            (LegacyExpected::Revision(u64::MAX), WrongExpected::NoStream(Empty {}))
        }
        Expected::Any => (LegacyExpected::Any(Empty {}), WrongExpected::Any(Empty {})),
        Expected::StreamExists => {
            (LegacyExpected::Exists(Empty {}), WrongExpected::Exists(Empty {}))
        }
    };
    let (legacy_current, current) = match actual {
        Some(revision) => (CurrentRevision::Revision(revision), WrongCurrent::Revision(revision)),
        None => (CurrentRevision::NoStream(Empty {}), WrongCurrent::NoStream(Empty {})),
    };
    WrongVersion {
        legacy_current: Some(legacy_current),
        legacy_expected: Some(legacy_expected),
        current: Some(current),
        expected: Some(expected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::esdb::wire::streams::ProposedEvent;

    #[test]
    fn events_of_nothing_take_up_room_too() {
        let system = [("type", "T"), ("content-type", "application/json")];
        let system = system.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let nothing = ProposedEvent { system, ..ProposedEvent::default() };
        let mut gathered = Gathered::default();
        let most = APPEND_LIMIT / (BESIDE + 1);
        assert!((0..most).all(|_| gathered.take(nothing.clone()).is_ok()));
        assert!(matches!(gathered.take(nothing), Err(Fault::TooLarge { .. })));
    }
}
