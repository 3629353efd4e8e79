//! The messages of `graphql-transport-ws`, and the codes it closes with.

use async_graphql::{Request, Response, ServerError};
use axum::extract::ws::Message;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::answer::written;
use super::super::decode::{self, DecodeError};
use crate::documents::{NotTrusted, Trusted};
use crate::guard::{self, Limits};

/// Why we end a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Close {
    GoingAway,
    Invalid(&'static str),
    Unauthorized,
    Forbidden,
    Protocol,
    InitTimeout,
    Duplicate(String),
    InitTwice,
    Silent,
    TooSlow,
}

impl Close {
    /// The code and the reason, at most the 123 bytes a close frame has room for.
    pub(super) fn frame(&self) -> (u16, String) {
        let (code, reason) = match self {
            Self::GoingAway => (1001, "The server ends: connect again and resume"),
            Self::Invalid(reason) => (4400, *reason),
            Self::Unauthorized => (4401, "Unauthorized"),
            Self::Forbidden => (4403, "Forbidden"),
            Self::Protocol => (4406, "Subprotocol not acceptable"),
            Self::InitTimeout => (4408, "Connection initialisation timeout"),
            Self::Duplicate(id) if id.len() <= 64 => {
                return (4409, format!("Subscriber for {id} already exists"));
            }
            Self::Duplicate(_) => (4409, "Subscriber already exists"),
            Self::InitTwice => (4429, "Too many initialisation requests"),
            Self::Silent => (4408, "No sign of life"),
            Self::TooSlow => (1013, "Too slow: resume after the last position you have seen"),
        };
        (code, reason.to_owned())
    }
}

/// What a client says.
pub(super) enum FromClient {
    Init { authorization: Option<String> },
    Ping,
    Pong,
    Subscribe { id: String, request: Box<Result<Request, DecodeError>> },
    Complete { id: String },
}

/// A message of the client, or why it is none.
pub(super) fn read(
    text: &str,
    limits: &Limits,
    trusted: &Trusted,
) -> Result<FromClient, &'static str> {
    if guard::json_nesting(text.as_bytes()) > limits.variables_nesting + 3 {
        return Err("The message nests too deep");
    }
    let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
        return Err("The message is not a JSON object");
    };
    let Some(Value::String(kind)) = message.remove("type") else {
        return Err("The message has no type");
    };
    let payload = message.remove("payload");
    let mut id = || match message.remove("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= 256 => Ok(id),
        _ => Err("The message has no id"),
    };
    let object = |payload| match payload {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err("The payload is not an object"),
    };
    match kind.as_str() {
        "connection_init" => {
            let mut payload = object(payload)?;
            let key = payload.keys().find(|key| key.eq_ignore_ascii_case("authorization")).cloned();
            let authorization = match key.and_then(|key| payload.remove(&key)) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            };
            Ok(FromClient::Init { authorization })
        }
        "ping" => object(payload).map(|_| FromClient::Ping),
        "pong" => object(payload).map(|_| FromClient::Pong),
        "complete" => Ok(FromClient::Complete { id: id()? }),
        "subscribe" => {
            let id = id()?;
            let Some(Value::Object(payload)) = payload else {
                return Err("The payload is not an object");
            };
            let request = decode::request(payload, trusted);
            if matches!(
                request,
                Err(DecodeError::Document(NotTrusted::Missing) | DecodeError::Type("query"))
            ) {
                return Err("The payload has no query");
            }
            Ok(FromClient::Subscribe { id, request: Box::new(request) })
        }
        _ => Err("The type of the message is not known"),
    }
}

/// What we say.
pub(super) enum ToClient<'a> {
    Ack,
    Pong,
    Next(&'a str, &'a Response),
    Error(&'a str, &'a [ServerError]),
    Complete(&'a str),
}

#[derive(Serialize)]
struct Written<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<P>,
}

impl ToClient<'_> {
    pub(super) fn into_message(self) -> Message {
        let text = match self {
            Self::Ack => json::<()>(None, "connection_ack", None),
            Self::Pong => json::<()>(None, "pong", None),
            Self::Next(id, answer) => {
                let payload = String::from_utf8(written(answer)).ok();
                let payload = payload.and_then(|text| RawValue::from_string(text).ok());
                json(Some(id), "next", payload)
            }
            Self::Error(id, errors) => json(Some(id), "error", Some(errors)),
            Self::Complete(id) => json::<()>(Some(id), "complete", None),
        };
        Message::Text(text.into())
    }
}

fn json<P: Serialize>(id: Option<&str>, kind: &'static str, payload: Option<P>) -> String {
    serde_json::to_string(&Written { id, r#type: kind, payload })
        .expect("strings, errors and JSON text are always JSON")
}
