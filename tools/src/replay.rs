//! `cxledger replay`: a customer's history as an auditor reads it.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use cx_api::schema::event::body_of;
use cx_model::{CustomerId, Position, Recorded};
use cx_projections::fold_history;
use cx_projections::views::{Customer, OpenCase};
use serde_json::{Value, json};

use crate::as_of::position_of;
use crate::inline::inline;
use crate::open::Opened;
use crate::table::{keep_whole, table};

/// Replay one customer's history, with the views as they stood.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger replay customer-6f1c0a52-6a8e-4f1c-9d54-0d8c2f9a7e11
  cxledger replay customer-6f1c0a52-6a8e-4f1c-9d54-0d8c2f9a7e11 --as-of 1200
  cxledger replay customer-6f1c0a52-6a8e-4f1c-9d54-0d8c2f9a7e11 --as-of 2026-01-31T12:00:00Z --json")]
pub struct Replay {
    /// The customer's id.
    customer: CustomerId,
    /// A position of the ledger, or a time at which the ledger had taken the events; the head if left out.
    #[arg(long, value_name = "POSITION|TIME")]
    as_of: Option<String>,
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

impl Replay {
    /// Prints the history.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_read(&self.data)?;
        opened.runtime.block_on(async {
            let ledger = opened.book.ledger();
            let position = position_of(&**ledger, self.as_of.as_deref()).await?;
            let mut history = opened.book.history(&self.customer.stream()).await?;
            let first = history.first().map(|event| event.position);
            history.retain(|event| event.position <= position);
            match first {
                None => bail!(
                    "the ledger of {} has nothing of {}: GraphQL `customer(by: {{identifier: …}})` \
                     finds the id of a customer",
                    self.data.display(),
                    self.customer
                ),
                Some(first) if history.is_empty() => bail!(
                    "{} has no events up to position {position}: the first is at position {first}",
                    self.customer
                ),
                Some(_) => {}
            }
            let views = self.views(&history, position);
            for event in &mut history {
                opened.book.open(event)?;
            }
            if self.json {
                let events: Vec<Value> = history.iter_mut().map(event_json).collect();
                let answer = json!({
                    "customer": self.customer.to_string(),
                    "asOf": position.to_string(),
                    "events": events,
                    "views": views,
                });
                say!("{}", serde_json::to_string_pretty(&answer)?);
            } else {
                self.print(&mut history, &views, position);
            }
            Ok(())
        })
    }

    fn views(&self, history: &[Recorded], position: Position) -> Value {
        let customer = fold_history::<Customer>(history, position).get(&self.customer);
        let cases: Vec<Value> = fold_history::<OpenCase>(history, position)
            .rows()
            .into_iter()
            .map(|((_, id), case, _)| json!({ "id": id.to_string(), "case": case }))
            .collect();
        json!({ "customer": customer, "openCases": cases })
    }

    fn print(&self, history: &mut [Recorded], views: &Value, position: Position) {
        say!("{} as of position {position}: {} events\n", self.customer, history.len());
        let mut table = table(["position", "occurred (recorded)", "event", "what it says"]);
        for event in history {
            let body = body_of(&mut event.event);
            let occurred = seconds(event.envelope.occurred_at);
            let recorded = seconds(event.recorded_at);
            table.add_row([
                event.position.to_string(),
                format!("{occurred}\n({recorded})"),
                event.event.event_type().to_owned(),
                short(&body),
            ]);
        }
        keep_whole(&mut table, 3);
        say!("{table}\n");
        let row = &views["customer"];
        let count = |name: &str| row[name].to_string();
        say!("As the views stood then");
        say!("  interactions {}", count("interactions"));
        say!("  responses    {}", count("responses"));
        say!("  purchases    {}", count("purchases"));
        say!("  open cases   {}", views["openCases"].as_array().map_or(0, Vec::len));
        say!("  last scores  {}", scores(row));
        say!("\nThe rows with every field: add --json.");
    }
}

/// An opened event as JSON.
pub fn event_json(event: &mut Recorded) -> Value {
    json!({
        "position": event.position.to_string(),
        "stream": event.stream.as_str(),
        "revision": event.revision,
        "id": event.id,
        "type": event.event.event_type(),
        "occurredAt": event.envelope.occurred_at,
        "precision": event.envelope.precision,
        "recordedAt": event.recorded_at,
        "actor": event.envelope.actor,
        "source": event.envelope.source,
        "body": body_of(&mut event.event),
    })
}

/// All last scores of a customer's row: `recommend 9 on 2025-11-04, …`.
fn scores(row: &Value) -> String {
    let scores = row["last_scores"].as_object().into_iter().flatten();
    let words: Vec<String> = scores
        .filter_map(|(question, last)| {
            let (day, _) = last["at"].as_str()?.split_once('T')?;
            Some(format!("{question} {} on {day}", last["score"]))
        })
        .collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// A time to the second: a table has no room for more.
fn seconds(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What an event says on one line: ids and empty fields are left out.
fn short(body: &Value) -> String {
    let is_id = |value: &Value| {
        value.as_str().is_some_and(|text| text.len() == 36 && text.matches('-').count() == 4)
    };
    inline(body, is_id).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_event_says_has_no_ids_and_no_braces() {
        let body = json!({
            "invitation": "ae6ebc6d-181e-5577-baf4-e3acb38d8b50",
            "answers": [{
                "question": "easy", "touchpoint": "ae6ebc6d-181e-5577-baf4-e3acb38d8b50",
                "value": { "score": 5 },
            }],
        });
        assert_eq!(short(&body), "answers: ((question: easy, value: (score: 5)))");
    }

    #[test]
    fn the_last_scores_read_as_words() {
        let row = json!({ "last_scores": {
            "recommend": { "score": 7, "at": "2025-12-07T12:10:15Z", "ordinal": 1566 },
            "satisfied": { "score": 3, "at": "2025-06-18T03:05:34Z", "ordinal": 753 },
        } });
        assert_eq!(scores(&row), "recommend 7 on 2025-12-07, satisfied 3 on 2025-06-18");
        assert_eq!(scores(&json!({})), "none");
    }
}
