//! How deep the JSON of a request nests.

use async_graphql::{Value, Variables};

use super::{Limits, Refusal, Rule};

/// The deepest nesting of objects and lists in a JSON text, found in one pass without parsing.
pub fn json_nesting(text: &[u8]) -> usize {
    let (mut open, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Refuses variables that nest too deep, without recursion of its own.
pub(super) fn check_variables(variables: &Variables, limits: &Limits) -> Result<(), Refusal> {
    let mut level: Vec<&Value> = variables.values().collect();
    for _ in 0..limits.variables_nesting {
        level = level
            .into_iter()
            .flat_map(|value| -> Box<dyn Iterator<Item = &Value>> {
                match value {
                    Value::List(items) => Box::new(items.iter()),
                    Value::Object(fields) => Box::new(fields.values()),
                    _ => Box::new(std::iter::empty()),
                }
            })
            .collect();
        if level.is_empty() {
            return Ok(());
        }
    }
    Err(too_deep(limits))
}

/// The refusal of JSON that nests too deep.
pub(crate) fn too_deep(limits: &Limits) -> Refusal {
    Refusal::over(Rule::VariablesNesting, "nested lists and objects", limits.variables_nesting)
}
