//! An answer as JSON text.
//!
//! Lists that were written as text already (`schema::raw`) come as binary values, which no resolver
//! of ours makes otherwise, and are copied as they are. Going through `serde_json`'s raw values
//! instead would read all of that text again, for every answer, to see that it is JSON.

use async_graphql::{Response as Answer, Value};

use crate::executor::is_request_error;

/// An answer as JSON text; one that failed as a whole has no `data`.
pub fn written(answer: &Answer) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + length_of_texts(&answer.data));
    match write(answer, &mut out) {
        Ok(()) => out,
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            br#"{"errors":[{"message":"an internal fault","extensions":{"code":"INTERNAL"}}]}"#
                .to_vec()
        }
    }
}

fn write(answer: &Answer, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.push(b'{');
    if !is_request_error(answer) {
        out.extend_from_slice(b"\"data\":");
        value(&answer.data, out)?;
    }
    if !answer.errors.is_empty() {
        member("errors", out);
        serde_json::to_writer(&mut *out, &answer.errors)?;
    }
    if !answer.extensions.is_empty() {
        member("extensions", out);
        serde_json::to_writer(&mut *out, &answer.extensions)?;
    }
    out.push(b'}');
    Ok(())
}

/// The name of a further member of the object that is being written.
fn member(name: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn value(of: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match of {
        Value::Binary(text) => out.extend_from_slice(text),
        Value::List(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                value(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (place, (name, inside)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                // Not always a GraphQL name: a value of any JSON can stand here.
                serde_json::to_writer(&mut *out, name.as_str())?;
                out.push(b':');
                value(inside, out)?;
            }
            out.push(b'}');
        }
        plain => serde_json::to_writer(&mut *out, plain)?,
    }
    Ok(())
}

/// The bytes of the lists that are text already.
fn length_of_texts(of: &Value) -> usize {
    match of {
        Value::Binary(text) => text.len(),
        Value::List(items) => items.iter().map(length_of_texts).sum(),
        Value::Object(members) => members.values().map(length_of_texts).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Name;
    use async_graphql::indexmap::IndexMap;

    use super::*;

    #[test]
    fn an_answer_reads_as_what_it_holds_and_no_value_passes_for_text() {
        let page = Value::Binary(b"[{\"kind\":\"call\"}]".as_slice().into());
        // The name under which serde_json would take a text for JSON.
        let sneaky = "$serde_json::private::RawValue";
        let inner = IndexMap::from_iter([(Name::new(sneaky), Value::from("[\"injected"))]);
        let data = Value::Object(IndexMap::from_iter([
            (Name::new("page"), page),
            (Name::new("row"), Value::List(vec![Value::Null, 1.5.into()])),
        ]));
        let read: serde_json::Value = serde_json::from_slice(&written(&Answer::new(data))).unwrap();
        assert_eq!(read["data"]["page"][0]["kind"], "call");
        assert_eq!(read["data"]["row"][1], 1.5);
        let text = String::from_utf8(written(&Answer::new(Value::Object(inner)))).unwrap();
        assert!(text.ends_with(r#":"[\"injected"}}"#), "{text}");
        assert!(read.get("errors").is_none());
    }
}
