//! Appending once, however often it has to be tried.

use std::collections::HashMap;

use cx_model::{Position, StreamName};
use eventstore::{AppendToStreamOptions, Client, EventData, StreamState, WriteResult};
use tokio::time::Instant;
use uuid::Uuid;

use super::Inner;
use super::event;
use super::trouble::Trouble;
use crate::error::{AppendError, ReadError};
use crate::port::{Append, Appended, Direction, Expected, RawNewEvent};

/// Events looked at together when ids are looked for.
const LOOKED_AT: usize = 512;

/// Where events of an append stand in their stream already.
enum Look {
    /// Nowhere; the stream's last revision.
    Nowhere(Option<u64>),
    /// All of them in order: the revision and the position of the last.
    There(u64, Position),
    /// Some, or in another order.
    Otherwise,
}

fn state(expected: Expected) -> StreamState {
    match expected {
        Expected::Any => StreamState::Any,
        Expected::NoStream => StreamState::NoStream,
        Expected::StreamExists => StreamState::StreamExists,
        Expected::Revision(revision) => StreamState::StreamRevision(revision),
    }
}

/// Exactly this state of a stream.
fn exactly(revision: Option<u64>) -> Expected {
    revision.map_or(Expected::NoStream, Expected::Revision)
}

impl Inner {
    /// Appends to one stream.
    ///
    /// Where an outcome is not known and any state of the stream would do, the ids are looked for
    /// and the next attempt names the state that was seen. So what is written twice is refused,
    /// whatever the event store remembers of ids: if the first attempt arrives late, the later one
    /// is refused and found to be there; if it arrives after the later one, the event store, which
    /// has just written these ids, knows them.
    pub(super) async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        let deadline = self.deadline();
        if append.events.is_empty() {
            return self.append_nothing(&append.stream, deadline).await;
        }
        if twice(&append.events) {
            return Err(AppendError::IdReused { stream: append.stream.clone() });
        }
        let before = self.clients.seen();
        let appended = |revision, position: Position| {
            self.clients.saw(position);
            Appended { revision: Some(revision), position, repeated: position <= before }
        };
        let mut expected = append.expected;
        for tries in 0.. {
            match self.attempt(append, expected, deadline).await {
                Ok(written) => {
                    let eventstore::Position { commit, prepare } = written.position;
                    let position = Position::from_parts(commit, prepare);
                    return Ok(appended(written.next_expected_version, position));
                }
                Err(Trouble::Refused(reason)) => return Err(AppendError::Engine { reason }),
                Err(Trouble::Missing) => {
                    let reason = "the event store has no such stream".into();
                    return Err(AppendError::Engine { reason });
                }
                Err(trouble) => {
                    let conflict = matches!(trouble, Trouble::WrongVersion(_));
                    if conflict || matches!(trouble, Trouble::Unknown(_)) {
                        match self.look_for(append, deadline).await? {
                            Look::There(revision, position) => {
                                return Ok(appended(revision, position));
                            }
                            Look::Otherwise => {
                                return Err(AppendError::IdReused {
                                    stream: append.stream.clone(),
                                });
                            }
                            Look::Nowhere(actual) => {
                                expected = again(append, actual, conflict)?;
                            }
                        }
                    }
                }
            }
            if Instant::now() >= deadline {
                return Err(AppendError::Timeout);
            }
            self.clients.rest(tries, deadline).await;
        }
        Err(AppendError::Timeout)
    }

    async fn attempt(
        &self,
        append: &Append,
        expected: Expected,
        deadline: Instant,
    ) -> Result<WriteResult, Trouble> {
        let options = AppendToStreamOptions::default().stream_state(state(expected));
        let options = match self.clients.settings.authentication() {
            Some(who) => options.authenticated(who),
            None => options,
        };
        let options = options.deadline(self.clients.settings.patience.answer);
        let events: Vec<EventData> = append.events.iter().map(event::write).collect();
        let stream = append.stream.as_str();
        let call =
            |client: Client| async move { client.append_to_stream(stream, &options, events).await };
        self.clients.attempt(deadline, call).await
    }

    async fn append_nothing(
        &self,
        stream: &StreamName,
        deadline: Instant,
    ) -> Result<Appended, AppendError> {
        let last = self.read_stream(stream, u64::MAX, Direction::Backwards, 1, deadline).await;
        let revision = last.map_err(unread)?.first().map(|event| event.revision);
        let position = self.read_head().await.map_err(unread)?;
        Ok(Appended { revision, position, repeated: false })
    }

    /// Looks for the events of an append in their stream, from its end on.
    async fn look_for(&self, append: &Append, deadline: Instant) -> Result<Look, AppendError> {
        let places = append.events.iter().enumerate().map(|(place, event)| (event.id, place));
        let places: HashMap<Uuid, usize> = places.collect();
        let mut found: Vec<Option<(u64, Position)>> = vec![None; append.events.len()];
        let (mut last, mut from, mut missing) = (None, u64::MAX, found.len());
        loop {
            let page = self
                .read_stream(&append.stream, from, Direction::Backwards, LOOKED_AT, deadline)
                .await
                .map_err(unread)?;
            for event in &page {
                last.get_or_insert(event.revision);
                if let Some(place) = places.get(&event.id) {
                    found[*place] = Some((event.revision, event.position));
                    missing -= 1;
                }
            }
            let next = page.last().and_then(|event| event.revision.checked_sub(1));
            match next.filter(|_| missing > 0 && page.len() == LOOKED_AT) {
                Some(next) => from = next,
                None => break,
            }
        }
        if missing == found.len() {
            return Ok(Look::Nowhere(last));
        }
        let found: Option<Vec<_>> = found.into_iter().collect();
        let in_order = found.filter(|found| found.windows(2).all(|two| two[1].0 == two[0].0 + 1));
        Ok(match in_order.as_deref().and_then(<[_]>::last) {
            Some((revision, position)) => Look::There(*revision, *position),
            None => Look::Otherwise,
        })
    }
}

/// What the next attempt expects, where the events are not in a stream with this last revision.
fn again(append: &Append, actual: Option<u64>, conflict: bool) -> Result<Expected, AppendError> {
    let Append { stream, expected, .. } = append;
    let any = matches!(expected, Expected::Any | Expected::StreamExists);
    if expected.holds(actual) && (any || !conflict) {
        return Ok(if any { exactly(actual) } else { *expected });
    }
    Err(AppendError::Conflict { stream: stream.clone(), expected: *expected, actual })
}

fn twice(events: &[RawNewEvent]) -> bool {
    let mut seen = std::collections::HashSet::with_capacity(events.len());
    !events.iter().all(|event| seen.insert(event.id))
}

/// The stream could not be read, so that nothing is known.
fn unread(error: ReadError) -> AppendError {
    match error {
        ReadError::Timeout => AppendError::Timeout,
        error => AppendError::Engine { reason: error.to_string() },
    }
}
