//! The first recorded time of a copied event, kept beside it in its metadata.
//!
//! An event store stamps what it takes with its own time. Where a ledger is copied, the time at
//! which the event was first recorded goes along as a first field, and comes out again on reading,
//! with the metadata as they were, byte for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The field that holds the time.
const TIME: &str = "$cxRecordedAt";
/// The field that holds metadata which are no JSON object.
const WHOLE: &str = "$cxMetadata";

/// Metadata with the first recorded time beside them.
pub fn beside(metadata: &[u8], recorded_at: Timestamp) -> Bytes {
    let time = format!("{{\"{TIME}\":\"{recorded_at}\"");
    let rest = metadata.strip_prefix(b"{").filter(|rest| {
        !rest.first().is_some_and(u8::is_ascii_whitespace)
            && serde_json::from_slice::<Map<String, Value>>(metadata).is_ok()
    });
    match rest {
        Some(b"}") => format!("{time}}}").into(),
        Some(rest) => [time.as_bytes(), b",", rest].concat().into(),
        None => format!("{time},\"{WHOLE}\":\"{}\"}}", STANDARD.encode(metadata)).into(),
    }
}

/// Metadata as they were, and the first recorded time, where there is one.
pub(super) fn parts(metadata: Bytes) -> (Bytes, Option<Timestamp>) {
    let holds = |name: &str| {
        metadata.windows(name.len()).take(4096).any(|window| window == name.as_bytes())
    };
    if metadata.first() != Some(&b'{') || !holds(TIME) {
        return (metadata, None);
    }
    match as_written(&metadata).or_else(|| rewritten(&metadata)) {
        Some((metadata, time)) => (metadata, Some(time)),
        None => (metadata, None),
    }
}

/// As [`beside`] writes them.
fn as_written(metadata: &Bytes) -> Option<(Bytes, Timestamp)> {
    let text = std::str::from_utf8(metadata).ok()?;
    let rest = text.strip_prefix("{\"")?.strip_prefix(TIME)?.strip_prefix("\":\"")?;
    let (time, rest) = rest.split_once('"')?;
    let time = time.parse().ok()?;
    if rest == "}" {
        return Some((Bytes::from_static(b"{}"), time));
    }
    let rest = rest.strip_prefix(',')?;
    let whole = rest.strip_prefix('"').and_then(|rest| rest.strip_prefix(WHOLE));
    if let Some(whole) = whole.and_then(|rest| rest.strip_prefix("\":\"")?.strip_suffix("\"}")) {
        return Some((STANDARD.decode(whole).ok()?.into(), time));
    }
    Some((format!("{{{rest}").into(), time))
}

/// Written anew by the event store, in another order or with other spaces.
fn rewritten(metadata: &Bytes) -> Option<(Bytes, Timestamp)> {
    let mut fields: Map<String, Value> = serde_json::from_slice(metadata).ok()?;
    let time = fields.remove(TIME)?.as_str()?.parse().ok()?;
    if let Some(whole) = fields.remove(WHOLE) {
        return Some((STANDARD.decode(whole.as_str()?).ok()?.into(), time));
    }
    Some((Value::Object(fields).to_string().into(), time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_come_back_byte_for_byte_with_the_time() {
        let time: Timestamp = "2024-02-29T12:00:00.000001Z".parse().unwrap();
        let each: &[&[u8]] = &[
            b"",
            b"{}",
            b"{ \"a\" : 1 }",
            br#"{"$correlationId":"x"}"#,
            b"\0\x01binary\xff",
            b"[1]",
            b"{broken",
            br#"{"a":"$cxRecordedAt"}"#,
        ];
        for metadata in each {
            let written = beside(metadata, time);
            assert!(serde_json::from_slice::<Map<String, Value>>(&written).is_ok());
            assert_eq!(parts(written), (Bytes::from_static(metadata), Some(time)));
            assert_eq!(parts(Bytes::from_static(metadata)).0, Bytes::from_static(metadata));
        }
        let moved =
            Bytes::from_static(br#"{"a":1, "$cxRecordedAt":"2024-02-29T12:00:00.000001Z"}"#);
        assert_eq!(parts(moved), (Bytes::from_static(br#"{"a":1}"#), Some(time)));
    }
}
