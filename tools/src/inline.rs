//! Values of rows and events on one line, as people read them.

use serde_json::Value;

/// A value on one line: lists and objects inside it stand in parentheses. What is empty is left out,
/// and so is what `skip` says.
pub fn inline(value: &Value, skip: fn(&Value) -> bool) -> Option<String> {
    let inner = |value: &Value| {
        let text = inline(value, skip)?;
        let plain = !matches!(value, Value::Array(_) | Value::Object(_));
        Some(if plain { text } else { format!("({text})") })
    };
    let parts: Vec<String> = match value {
        _ if skip(value) => return None,
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
    }
}
