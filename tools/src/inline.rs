//! Values of rows and events on one line, as people read them.

use serde_json::Value;

/// A value on one line: lists and objects inside it stand in parentheses. What is empty is left out,
/// and so is what `skip` says.
pub fn inline(value: &Value, skip: fn(&Value) -> bool) -> Option<String> {
    let inner = |value: &Value| {
        let text = inline(value, skip)?;
        Some(if is_plain(value) { text } else { format!("({text})") })
    };
    let parts: Vec<String> = match value {
        _ if skip(value) => return None,
        _ if sealed(value).is_some() => return sealed(value),
        Value::Null => return None,
        Value::Bool(flag) => return Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => return Some(number.to_string()),
        Value::String(text) => return Some(text.clone()),
        Value::Array(items) => items.iter().filter_map(inner).collect(),
        Value::Object(members) => members
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}: {}", inner(value)?)))
            .collect(),
    };
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Whether a value is one thing that needs no parentheses.
pub fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_)) || sealed(value).is_some()
}

/// A personal value as views keep it: nobody reads anything in its ciphertext.
fn sealed(value: &Value) -> Option<String> {
    let key = value.pointer("/sealed/key")?.as_str()?;
    Some(format!("sealed with key {key}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_nested_stands_in_parentheses_and_what_is_empty_nowhere() {
        let value = json!({
            "lines": [{ "item": "lamp", "quantity": 2 }, { "item": "chair" }],
            "partial": false, "attributes": {}, "case": null,
        });
        let shown = inline(&value, |_| false);
        let expected = "lines: ((item: lamp, quantity: 2), (item: chair)), partial: no";
        assert_eq!(shown.as_deref(), Some(expected));
        let shown = inline(&value, |value| value == "lamp" || value.is_boolean());
        assert_eq!(shown.as_deref(), Some("lines: ((quantity: 2), (item: chair))"));
        assert_eq!(inline(&json!([]), |_| false), None);
        let name = json!({ "field": "name", "sealed": { "key": "7", "ciphertext": "2CGChA" } });
        let shown = inline(&json!({ "name": name }), |_| false);
        assert_eq!(shown.as_deref(), Some("name: sealed with key 7"));
    }
}
