//! The three ways an HTTP request carries CloudEvents.

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::cloud_event::{CloudEvent, Malformed, is_json};

/// How a request carries events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Structured,
    Batch,
    Binary,
}

/// The mode the headers tell, if they tell one.
pub(super) fn of(headers: &HeaderMap) -> Option<Mode> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/cloudevents-batch+json" => Some(Mode::Batch),
        "application/cloudevents+json" => Some(Mode::Structured),
        _ if headers.contains_key("ce-specversion") => Some(Mode::Binary),
        _ => None,
    }
}

/// The events of a request: the whole can be unreadable, or single items of a batch.
pub(super) fn read(
    mode: Mode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<Result<CloudEvent, Malformed>>, Malformed> {
    let json = || serde_json::from_slice::<Value>(body).map_err(|_| Malformed::Json);
    match mode {
        Mode::Structured => Ok(vec![CloudEvent::from_json(json()?)]),
        Mode::Batch => match json()? {
            Value::Array(items) => Ok(items.into_iter().map(CloudEvent::from_json).collect()),
            _ => Err(Malformed::NotAList),
        },
        Mode::Binary => Ok(vec![binary(headers, body)]),
    }
}

fn binary(headers: &HeaderMap, body: &[u8]) -> Result<CloudEvent, Malformed> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let data = match body {
        [] => Value::Null,
        body if kind.is_none_or(is_json) => {
            serde_json::from_slice(body).map_err(|_| Malformed::Data)?
        }
        _ => return Err(Malformed::Data),
    };
    let mut attributes = Map::new();
    for (name, value) in headers {
        if let Some(name) = name.as_str().strip_prefix("ce-") {
            let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
            attributes.insert(name.to_owned(), Value::String(percent_decoded(text)));
        }
    }
    CloudEvent::from_attributes(attributes, data)
}

/// Header values carry what is not printable ASCII as `%XX` of UTF-8.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex.filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(value.unwrap_or(byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
