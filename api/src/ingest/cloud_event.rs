//! One CloudEvent, checked against the specification and against what a ledger needs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cx_model::ids::derived_id;
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// A CloudEvent with the attributes the ledger uses.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CloudEvent {
    /// Its id, unique within its source.
    pub id: String,
    /// Where it comes from.
    pub source: String,
    /// Its type, such as `cx.InteractionRecorded`.
    pub event_type: String,
    /// Whom it is about: a customer's id or `scheme:value`. Personal data: never logged.
    pub subject: Option<String>,
    /// When it occurred.
    pub time: Option<Timestamp>,
    /// The event's body as our codec has it, personal fields in the clear.
    pub data: Value,
}

/// What is given as a CloudEvent is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is not JSON.
    #[error("the body is not JSON")]
    Json,
    /// It is not an object.
    #[error("an event is a JSON object")]
    NotAnObject,
    /// A batch is not a list.
    #[error("a batch is a JSON list of events")]
    NotAList,
    /// It is of a version we do not know.
    #[error("specversion must be 1.0")]
    Version,
    /// An attribute is missing, empty or no text.
    #[error("the attribute {0} must be text that is not empty")]
    Attribute(&'static str),
    /// `time` is no timestamp.
    #[error("the attribute time must be a timestamp as RFC 3339 has it")]
    Time,
    /// The data is not JSON.
    #[error("the data must be JSON (datacontenttype application/json)")]
    Data,
}

impl CloudEvent {
    /// The name of our event that the type stands for: what follows `cx.`.
    pub fn event_name(&self) -> Option<&str> {
        self.event_type.strip_prefix("cx.").filter(|name| !name.is_empty())
    }

    /// The fact's identity, of source and id: the same for every repetition.
    pub fn fact_id(&self) -> Uuid {
        derived_id(&["event", &self.source, &self.id])
    }

    /// An event from its JSON form.
    pub fn from_json(value: Value) -> Result<Self, Malformed> {
        let Value::Object(mut fields) = value else { return Err(Malformed::NotAnObject) };
        let data = match (fields.remove("data"), fields.remove("data_base64")) {
            (Some(data), None) => data,
            (None, Some(Value::String(text))) => {
                let bytes = STANDARD.decode(text).map_err(|_| Malformed::Data)?;
                serde_json::from_slice(&bytes).map_err(|_| Malformed::Data)?
            }
            (None, None) => Value::Null,
            _ => return Err(Malformed::Data),
        };
        Self::from_attributes(fields, data)
    }

    /// An event from its attributes and its data.
    pub(super) fn from_attributes(
        mut fields: Map<String, Value>,
        data: Value,
    ) -> Result<Self, Malformed> {
        if fields.get("specversion").and_then(Value::as_str) != Some("1.0") {
            return Err(Malformed::Version);
        }
        let mut text = |name: &'static str| match fields.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            None | Some(Value::Null) => Ok(None),
            Some(_) => Err(Malformed::Attribute(name)),
        };
        let required = |name, value: Option<String>| value.ok_or(Malformed::Attribute(name));
        let id = text("id").and_then(|value| required("id", value))?;
        let source = text("source").and_then(|value| required("source", value))?;
        let event_type = text("type").and_then(|value| required("type", value))?;
        let subject = text("subject")?;
        let time = match text("time")? {
            Some(time) => Some(time.parse().map_err(|_| Malformed::Time)?),
            None => None,
        };
        if !text("datacontenttype")?.is_none_or(|kind| is_json(&kind)) {
            return Err(Malformed::Data);
        }
        Ok(Self { id, source, event_type, subject, time, data })
    }
}

/// Whether a media type says JSON, also by the suffix `+json`.
pub(super) fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}
