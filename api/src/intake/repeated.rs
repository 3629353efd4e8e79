//! What came before under the same source and id: the same content, or another.

use std::collections::{BTreeMap, BTreeSet};

use cx_ledger::{Book, BookError, Direction};
use cx_model::{Event, NewEvent, Position, Recorded, SealedValue, StreamName};
use serde_json::{Map, Value};
use uuid::Uuid;

/// What an id that came before in another stream is answered with.
pub(super) const OTHER_SUBJECT: &str =
    "this source and id came before with another subject: a new fact needs a new id";

/// A personal field, by its path; `None` if it was erased.
type Personal = BTreeMap<String, Option<Vec<u8>>>;

/// The event that was put at a position under this id, its personal values open; `None` if the
/// ledger has another one there.
pub(super) async fn at(
    book: &Book,
    position: Position,
    id: Uuid,
) -> Result<Option<Recorded>, BookError> {
    let found = book.ledger().read_all(position, Direction::Backwards, 1).await?;
    let Some(raw) = found.first().filter(|raw| raw.id == id) else { return Ok(None) };
    let mut event = cx_ledger::decode(raw)?;
    book.open(&mut event)?;
    Ok(Some(event))
}

/// The same in a stream, wherever it stands.
pub(super) async fn within(
    book: &Book,
    stream: &StreamName,
    id: Uuid,
) -> Result<Option<Recorded>, BookError> {
    let mut from = 0;
    loop {
        let page = book.ledger().read_stream(stream, from, Direction::Forwards, 1_000).await?;
        let Some(last) = page.last() else { return Ok(None) };
        from = last.revision + 1;
        if let Some(raw) = page.iter().find(|raw| raw.id == id) {
            let mut event = cx_ledger::decode(raw)?;
            book.open(&mut event)?;
            return Ok(Some(event));
        }
    }
}

/// Why an event is not the one that came before; `None` if it is. Names fields and no values.
/// A time that was left out is no other time, and what was erased could have been the same.
pub(super) fn conflict(
    before: &Recorded,
    stream: &StreamName,
    now: &NewEvent,
    timed: bool,
) -> Option<String> {
    if before.stream != *stream {
        return Some(OTHER_SUBJECT.into());
    }
    if before.event.event_type() != now.event.event_type() {
        return Some(format!(
            "this source and id came before as {}: a new fact needs a new id",
            before.event.event_type()
        ));
    }
    let mut other = differing(before.event.clone(), now.event.clone());
    if timed && before.envelope.occurred_at != now.envelope.occurred_at {
        other.insert("time".into());
    }
    (!other.is_empty()).then(|| {
        let other: Vec<_> = other.into_iter().collect();
        format!(
            "this source and id came before with other content ({}): a new fact needs a new id",
            other.join(", ")
        )
    })
}

/// The fields in which two events of one type differ.
fn differing(mut before: Event, mut now: Event) -> BTreeSet<String> {
    let (told, tells) = (taken_out(&mut before), taken_out(&mut now));
    let mut other = BTreeSet::new();
    for (path, value) in &tells {
        // Where only one has the field, the rest of the events differs.
        if let Some(Some(before)) = told.get(path)
            && value.as_ref() != Some(before)
        {
            other.insert(path.split('.').next().unwrap_or(path).to_owned());
        }
    }
    let (before, now) = (fields(&before), fields(&now));
    for name in before.keys().chain(now.keys()) {
        if before.get(name) != now.get(name) {
            other.insert(name.clone());
        }
    }
    other
}

/// Takes the personal values out of an event, and leaves a mark where each was.
fn taken_out(event: &mut Event) -> Personal {
    let mut values = Personal::new();
    event.personal(&mut |path, value| {
        values.insert(path.to_owned(), value.clear_json());
        let empty = String::new;
        value.seal(SealedValue {
            v: 0,
            key: empty(),
            alg: empty(),
            salt: empty(),
            commitment: empty(),
            ciphertext: empty(),
        });
    });
    values
}

fn fields(event: &Event) -> Map<String, Value> {
    match cx_model::codec::body_json(event) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
