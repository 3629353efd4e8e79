//! From the data of a CloudEvent to an event of the model.

mod fault;

use cx_model::event::{Event, UnknownEvent};
use cx_model::ids::derived_id;
use serde_json::{Map, Value, json};

use super::Reason;
use crate::ingest::CloudEvent;

/// Types that only the ledger itself may say: what they state is true because it did it.
pub(crate) const OWN: &[&str] = &[
    "SubjectErased",
    "IdentifierClaimed",
    "IdentifierReleased",
    "ImportStarted",
    "ImportFinished",
];

/// The personal fields of each type that has some. `*` stands for every item of a list.
const PERSONAL: &[(&str, &str)] = &[
    ("CustomerRegistered", "name"),
    ("DetailsChanged", "name"),
    ("IdentifierAttached", "value"),
    ("PreferenceSet", "value"),
    ("InteractionRecorded", "text"),
    ("ResponseSubmitted", "answers.*.value.text"),
    ("ResponseAmended", "answers.*.value.text"),
    ("CaseOpened", "subject"),
    ("AgentReplied", "text"),
    ("CustomerReplied", "text"),
    ("SolutionOffered", "description"),
];

/// The id that a type gives to what it makes: derived from the fact's identity if it is left out.
const MADE: &[(&str, &str)] = &[
    ("InteractionRecorded", "interaction"),
    ("ResponseSubmitted", "response"),
    ("CaseOpened", "case"),
    ("PurchaseMade", "order"),
    ("OfferMade", "offer"),
];

/// The event that the data of a CloudEvent of this type says.
pub(super) fn read(name: &str, item: &CloudEvent) -> Result<Event, Reason> {
    if !Event::TYPES.contains(&name) {
        return Err("this program knows no event of this type".into());
    }
    if OWN.contains(&name) {
        return Err("events of this type are written by the ledger alone".into());
    }
    let mut data = match &item.data {
        Value::Null => Map::new(),
        Value::Object(fields) => fields.clone(),
        _ => return Err("the data must be a JSON object".into()),
    };
    for (_, field) in MADE.iter().filter(|(of, _)| *of == name) {
        let id = || Value::String(derived_id(&[field, &item.source, &item.id]).to_string());
        data.entry(*field).or_insert_with(id);
    }
    for (key, value) in &mut data {
        bare_id(key, value);
    }
    let mut data = Value::Object(data);
    for (_, path) in PERSONAL.iter().filter(|(of, _)| *of == name) {
        wrap(&mut data, path)?;
    }
    parse(name, &data)
}

/// Ids are written as in the ledger, bare; people copy them with their category.
fn bare_id(key: &str, value: &mut Value) {
    let Value::String(text) = value else { return };
    let Some((category, id)) = text.split_once('-') else { return };
    let category_fits = category == key || (key == "survivor" && category == "customer");
    if category_fits && uuid::Uuid::try_parse(id).is_ok() {
        *text = id.to_owned();
    }
}

/// Puts a clear text in the form that sealed values have, for [`parse`] to open.
fn wrap(value: &mut Value, path: &str) -> Result<(), Reason> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    if first == "*" {
        return value.as_array_mut().into_iter().flatten().try_for_each(|item| wrap(item, rest));
    }
    let Some(field) = value.as_object_mut().and_then(|fields| fields.get_mut(first)) else {
        return Ok(());
    };
    match field {
        field if !rest.is_empty() => wrap(field, rest),
        Value::Null => Ok(()),
        Value::String(text) => {
            *field = json!({
                "v": 0, "key": "", "alg": "", "salt": "", "commitment": "", "ciphertext": text,
            });
            Ok(())
        }
        _ => Err(format!("the field {first} must be text")),
    }
}

fn parse(name: &str, data: &Value) -> Result<Event, Reason> {
    let mut event = parse_event(name, data)?;
    let mut opened = true;
    event.personal(&mut |_, value| {
        let clear = value.sealed().map(|sealed| json!(sealed.ciphertext).to_string());
        opened &= clear.is_some_and(|clear| value.open(clear.as_bytes()));
    });
    if opened { Ok(event) } else { Err("a personal field is not text".into()) }
}

macro_rules! parser {
    ($($name:ident)*) => {
        fn parse_event(name: &str, data: &Value) -> Result<Event, Reason> {
            let text = data.to_string();
            match name {
                $(stringify!($name) => {
                    serde_json::from_slice::<cx_model::event::$name>(text.as_bytes())
                        .map(Event::from)
                        .map_err(|_| fault::reason::<cx_model::event::$name>(data))
                })*
                other => Ok(Event::Unknown(UnknownEvent {
                    event_type: other.into(),
                    data: text.into_bytes(),
                })),
            }
        }
    };
}
cx_model::with_events!(parser);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cx_model::canonical;

    use super::*;

    #[test]
    fn a_reason_names_the_field_and_never_the_value() {
        let said = |name: &str, data: Value| parse(name, &data).unwrap_err();
        let visit = |channel: Value| {
            json!({
                "interaction": "6f1c0a52-6a8e-4f1c-9d54-0d8c2f9a7e11", "kind": "call",
                "channel": channel, "direction": "in", "initiator": "customer",
            })
        };
        let reason = said("InteractionRecorded", visit("Ada Lovelace".into()));
        assert!(reason.contains("channel") && reason.contains("phone"), "{reason}");
        assert!(!reason.contains("Lovelace"), "{reason}");
        let mut data = visit("phone".into());
        data["durationSeconds"] = "Ada".into();
        let reason = said("InteractionRecorded", data);
        assert!(reason.contains("durationSeconds") && !reason.contains("Ada"), "{reason}");
        let reason = said("InteractionRecorded", json!({}));
        assert!(reason.contains("lacks the field"), "{reason}");
    }

    /// Every personal field of the canonical history, which reaches every event, is one that a text
    /// in the clear is taken for.
    #[test]
    fn every_personal_field_is_taken_in_the_clear() {
        let mut seen = BTreeSet::new();
        for mut recorded in canonical::history() {
            let name = recorded.event.event_type().to_owned();
            recorded.event.personal(&mut |path, _| {
                let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
                let parts = path.split('.').map(|part| if digits(part) { "*" } else { part });
                seen.insert((name.clone(), parts.collect::<Vec<_>>().join(".")));
            });
        }
        let known =
            PERSONAL.iter().map(|(name, path)| ((*name).to_owned(), path.replace(".value.", ".")));
        let known: BTreeSet<_> = known.collect();
        seen.retain(|(name, _)| !OWN.contains(&name.as_str()));
        let missed: Vec<_> = seen.difference(&known).collect();
        assert!(missed.is_empty(), "{missed:?}");
        assert!(seen.len() + 1 >= known.len(), "{known:?} holds more than {seen:?}");
    }
}
