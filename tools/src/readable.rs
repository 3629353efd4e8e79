//! Values of views' rows as a person reads them; scripts get them as they are.

use cx_model::Event;
use jiff::Timestamp;
use serde_json::Value;

/// A plain value under its name: times as times, types of events by name. `None` for what has
/// parts that are read one by one.
pub fn readable(name: &str, value: &Value) -> Option<String> {
    let last = name.rsplit('.').next().unwrap_or(name);
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Number(number) if last.ends_with("_at") || last.ends_with("_contact") => {
            Some(number.as_i64().map_or_else(|| number.to_string(), time))
        }
        Value::Number(number) if last == "kind" => {
            let place = number.as_u64().and_then(|place| usize::try_from(place).ok());
            let known = place.and_then(|place| Event::TYPES.get(place));
            Some(known.map_or_else(|| number.to_string(), |name| (*name).to_owned()))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Array(parts) => score(name, parts),
        Value::Object(_) => None,
    }
}

/// The last score of a question is kept with when it was given and the event's number.
fn score(name: &str, parts: &[Value]) -> Option<String> {
    let (inside, _) = name.rsplit_once('.')?;
    let [at, _, score] = parts else { return None };
    let of_scores = inside.rsplit('.').next() == Some("last_scores");
    let (at, score) = (at.as_i64()?, score.as_i64()?);
    of_scores.then(|| format!("{score} on {}", day(at)))
}

/// All last scores of a customer's row: `recommend 9 on 2025-11-04, …`.
pub fn scores(row: &Value) -> String {
    let scores = row["last_scores"].as_object().into_iter().flatten();
    let words: Vec<String> = scores
        .filter_map(|(question, value)| {
            let said = readable(&format!("last_scores.{question}"), value)?;
            Some(format!("{question} {said}"))
        })
        .collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn time(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros);
    time.map_or_else(|_| micros.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn day(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros);
    time.map_or_else(|_| micros.to_string(), |time| time.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_types_and_scores_are_written_out() {
        for (name, value, text) in [
            ("Page.0.occurred_at", json!(1_737_693_592_000_000_i64), "2025-01-24T04:39:52Z"),
            ("first_contact", json!(1_737_693_592_000_000_i64), "2025-01-24T04:39:52Z"),
            ("Page.0.kind", json!(0), Event::TYPES[0]),
            ("kind", json!("person"), "person"),
            ("erased", json!(false), "no"),
            ("events", json!(12), "12"),
            (
                "last_scores.recommend",
                json!([1_765_109_415_000_000_i64, 1566, 7]),
                "7 on 2025-12-07",
            ),
        ] {
            assert_eq!(readable(name, &value).as_deref(), Some(text), "{name}");
        }
        assert_eq!(readable("cases", &json!([1, 2, 3])), None);
    }

    #[test]
    fn the_last_scores_read_as_words() {
        let row = json!({ "last_scores": {
            "recommend": [1_765_109_415_000_000_i64, 1566, 7],
            "satisfied": [1_750_215_934_000_000_i64, 753, 3],
        } });
        assert_eq!(scores(&row), "recommend 7 on 2025-12-07, satisfied 3 on 2025-06-18");
        assert_eq!(scores(&json!({})), "none");
    }
}
