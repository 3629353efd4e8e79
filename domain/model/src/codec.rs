//! Events as bytes, and back.
//!
//! The event's data is one JSON object: `{"v":1,"occurredAt":…,"precision":…,"actor":…,"source":…,
//! "body":{…}}`, where `v` is the version of the body. Its metadata carries the ids that connect
//! events, under the names the official KurrentDB clients use. A known type is read strictly: a
//! field that its version does not have is an error. An unknown type is kept as it is.

mod written;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::{Actor, Envelope, Source};
use crate::event::{self, Event, UnknownEvent};
use crate::vocabulary::Precision;
use crate::with_events;

/// The data of an event that cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The JSON is not what the type says.
    #[error("an event of type {event_type} cannot be read: {reason}")]
    Malformed {
        /// The event's type.
        event_type: String,
        /// Where and what, without the value.
        reason: String,
    },
    /// Written by a newer program.
    #[error(
        "an event of type {event_type} has version {version}; this program knows up to 1: use a newer one"
    )]
    NewerVersion {
        /// The event's type.
        event_type: String,
        /// Its version.
        version: u32,
    },
    /// Its metadata is not an object of the known fields.
    #[error("an event's metadata cannot be read: {reason}")]
    Metadata {
        /// Where and what.
        reason: String,
    },
}

/// An event cannot be written: it holds a personal value in the clear.
#[derive(Debug, thiserror::Error)]
#[error("an event of type {event_type} cannot be written: {reason}")]
pub struct EncodeError {
    event_type: String,
    reason: String,
}

/// An event as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// JSON: the version, the envelope and the body.
    pub data: Vec<u8>,
    /// JSON: what connects it to others.
    pub metadata: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DataOut<'a, T> {
    v: u32,
    occurred_at: Timestamp,
    #[serde(skip_serializing_if = "is_exact")]
    precision: Precision,
    actor: &'a Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a Source>,
    body: &'a T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DataIn<T> {
    v: u32,
    occurred_at: Timestamp,
    #[serde(default = "exact")]
    precision: Precision,
    actor: Actor,
    #[serde(default)]
    source: Option<Source>,
    body: T,
}

#[derive(Serialize, Deserialize, Default)]
struct Metadata {
    #[serde(rename = "$correlationId", default, skip_serializing_if = "Option::is_none")]
    correlation: Option<Uuid>,
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    causation: Option<Uuid>,
}

// serde's skip_serializing_if passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_exact(precision: &Precision) -> bool {
    *precision == Precision::Exact
}

fn exact() -> Precision {
    Precision::Exact
}

fn write<T: Serialize>(envelope: &Envelope, body: &T) -> serde_json::Result<Vec<u8>> {
    let data = DataOut {
        v: 1,
        occurred_at: envelope.occurred_at,
        precision: envelope.precision,
        actor: &envelope.actor,
        source: envelope.source.as_ref(),
        body,
    };
    serde_json::to_vec(&data)
}

/// An event as bytes. Fails only if a personal value in it has not been sealed.
pub fn encode(envelope: &Envelope, event: &Event) -> Result<Encoded, EncodeError> {
    macro_rules! write_body {
        ($($name:ident)*) => {
            match event {
                $(Event::$name(body) => write(envelope, body),)*
                Event::Unknown(unknown) => Ok(unknown.data.clone()),
            }
        };
    }
    let failed = |error: serde_json::Error| EncodeError {
        event_type: event.event_type().to_owned(),
        reason: error.to_string(),
    };
    let data = with_events!(write_body).map_err(failed)?;
    let connections = Metadata { correlation: envelope.correlation, causation: envelope.causation };
    let metadata = serde_json::to_vec(&connections).map_err(failed)?;
    Ok(Encoded { data, metadata })
}

/// The body of an event as JSON, for people to read. Fails on nothing but a personal value in the
/// clear, which then stands as null.
pub fn body_json(event: &Event) -> serde_json::Value {
    macro_rules! body_value {
        ($($name:ident)*) => {
            match event {
                $(Event::$name(body) => serde_json::to_value(body),)*
                Event::Unknown(unknown) => serde_json::from_slice(&unknown.data),
            }
        };
    }
    with_events!(body_value).unwrap_or_default()
}

fn read<'de, T: Deserialize<'de> + Into<Event>>(
    event_type: &str,
    data: &'de [u8],
) -> Result<(Envelope, Event), DecodeError> {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some((envelope, body)) = written::split(text)
        && let Ok(body) = serde_json::from_str::<T>(body)
    {
        return Ok((envelope, body.into()));
    }
    read_any_form::<T>(event_type, data)
}

/// Reads what JSON allows, and says what is wrong where it is not an event.
fn read_any_form<'de, T: Deserialize<'de> + Into<Event>>(
    event_type: &str,
    data: &'de [u8],
) -> Result<(Envelope, Event), DecodeError> {
    let malformed =
        |reason: String| DecodeError::Malformed { event_type: event_type.into(), reason };
    let read: DataIn<T> = serde_json::from_slice(data).map_err(|error| {
        // A newer version may well have another body: its number is the better answer.
        match serde_json::from_slice::<VersionOnly>(data) {
            Ok(VersionOnly { v }) if v > 1 => {
                DecodeError::NewerVersion { event_type: event_type.into(), version: v }
            }
            _ => malformed(place(&error)),
        }
    })?;
    match read.v {
        1 => {}
        0 => return Err(malformed("version 0 does not exist".into())),
        version => {
            return Err(DecodeError::NewerVersion { event_type: event_type.into(), version });
        }
    }
    let envelope = Envelope {
        occurred_at: read.occurred_at,
        precision: read.precision,
        actor: read.actor,
        source: read.source,
        correlation: None,
        causation: None,
    };
    Ok((envelope, read.body.into()))
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

/// The error without the value it met, which may be personal.
fn place(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "a field is missing, unknown or of another type",
        serde_json::error::Category::Eof => "the JSON ends too early",
        _ => "it is not JSON",
    };
    format!("{kind} (line {}, column {})", error.line(), error.column())
}

/// An event from bytes: strict about the types this program knows, tolerant of those it does not.
///
/// An unknown type keeps its data unread; its envelope is read where it has the known form, and
/// stands at the Unix epoch otherwise.
pub fn decode(
    event_type: &str,
    data: &[u8],
    metadata: &[u8],
) -> Result<(Envelope, Event), DecodeError> {
    macro_rules! read_body {
        ($($name:ident)*) => {
            match event_type {
                $(stringify!($name) => read::<event::$name>(event_type, data)?,)*
                _ => read_unknown(event_type, data),
            }
        };
    }
    let (mut envelope, event) = with_events!(read_body);
    if metadata.len() > 2 {
        let connections: Metadata = serde_json::from_slice(metadata)
            .map_err(|error| DecodeError::Metadata { reason: place(&error) })?;
        envelope.correlation = connections.correlation;
        envelope.causation = connections.causation;
    }
    Ok((envelope, event))
}

fn read_unknown(event_type: &str, data: &[u8]) -> (Envelope, Event) {
    let event = Event::Unknown(UnknownEvent { event_type: event_type.into(), data: data.to_vec() });
    let envelope = match serde_json::from_slice::<DataIn<IgnoredAny>>(data) {
        Ok(read) => Envelope {
            occurred_at: read.occurred_at,
            precision: read.precision,
            actor: read.actor,
            source: read.source,
            correlation: None,
            causation: None,
        },
        Err(_) => Envelope::new(Timestamp::UNIX_EPOCH, Actor::System { name: "unknown".into() }),
    };
    (envelope, event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CaseClosed, CustomerRegistered};
    use crate::ids::CaseId;
    use crate::vocabulary::CustomerKind;

    fn envelope() -> Envelope {
        Envelope {
            correlation: Some(Uuid::from_u128(5)),
            ..Envelope::new(
                "2026-01-02T03:04:05Z".parse().unwrap(),
                Actor::System { name: "test".into() },
            )
        }
    }

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        let event = Event::from(CaseClosed { case: CaseId(Uuid::from_u128(1)) });
        let bytes = encode(&envelope(), &event).unwrap();
        assert_eq!(
            decode("CaseClosed", &bytes.data, &bytes.metadata).unwrap(),
            (envelope(), event)
        );
    }

    #[test]
    fn a_personal_value_in_the_clear_is_never_written() {
        let event = Event::from(CustomerRegistered {
            kind: CustomerKind::Person,
            name: Some("Ada Lovelace".to_owned().into()),
        });
        let error = encode(&envelope(), &event).unwrap_err();
        assert!(error.to_string().contains("sealed"), "{error}");
        assert!(!format!("{event:?}").contains("Ada"));
    }

    #[test]
    fn an_unknown_type_is_kept_and_written_as_it_was() {
        let data = br#"{"v":7,"strange":true}"#;
        let (envelope, event) = decode("TeleportBooked", data, b"").unwrap();
        assert_eq!(event.event_type(), "TeleportBooked");
        assert_eq!(encode(&envelope, &event).unwrap().data, data);
    }

    #[test]
    fn a_known_type_with_a_strange_field_or_version_is_an_error() {
        let event = Event::from(CaseClosed { case: CaseId(Uuid::from_u128(1)) });
        let text = String::from_utf8(encode(&envelope(), &event).unwrap().data).unwrap();
        let strange = text.replace("\"body\":{", "\"body\":{\"secret\":\"x\",");
        let error = decode("CaseClosed", strange.as_bytes(), b"").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        let newer = text.replace("\"v\":1", "\"v\":2");
        let error = decode("CaseClosed", newer.as_bytes(), b"").unwrap_err();
        assert!(matches!(error, DecodeError::NewerVersion { version: 2, .. }));
    }
}
