//! `cxledger explain`: every event behind a row of a view, with the row before and after.

mod keys;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use cx_model::CustomerId;
use cx_projections::views::Timeline;
use cx_projections::{Engine, Options, Projection, Reasons, reasons};
use serde_json::{Map, Value, json};

use crate::inline::{inline, is_plain};
use crate::open::Opened;
use crate::replay::event_json;
use crate::table::compact;

/// Explain a row of a view: every event behind it, with the row before and after.
#[derive(Debug, Args)]
#[command(after_help = keys::help())]
pub struct Explain {
    /// The view's name.
    view: String,
    /// The row's key; several parts are joined by `/`.
    key: String,
    /// At most so many events.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Only events after the one of this number, as a page before says it.
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Explain {
    /// Folds the view in a directory of its own, beside a running server, and explains the row.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_read(&self.data)?;
        let ledger = Arc::clone(opened.book.ledger());
        let whole_timeline = self.view == Timeline::NAME && !self.key.contains('/');
        let asked = if whole_timeline { format!("{}/1", self.key) } else { self.key.clone() };
        opened.runtime.block_on(keys::check(&*ledger, &self.view, &asked))?;
        let views = Scratch::new()?;
        opened.runtime.block_on(async {
            let head = ledger.head().await?;
            // The other views have nothing to say about the row.
            let mut options = Options::default();
            options.views.retain(|view| view.name() == self.view);
            let engine = Engine::start(ledger, views.path(), options).await?;
            engine.at_least(head, &[&self.view], std::time::Duration::MAX).await?;
            let (key, pages) =
                if whole_timeline { last_page(&engine, &self.key)? } else { (asked, 1) };
            let found = reasons(&engine, &self.view, &key, self.after, self.limit).await;
            engine.shutdown().await;
            let mut found = found?;
            let mut steps = Vec::with_capacity(found.reasons.len());
            for reason in &mut found.reasons {
                opened.book.open(&mut reason.event)?;
                steps.push(json!({
                    "event": event_json(&mut reason.event),
                    "before": reason.before,
                    "after": reason.after,
                }));
            }
            if self.json {
                let answer = json!({
                    "view": self.view, "key": key, "asOf": found.as_of.to_string(),
                    "row": found.row, "reasons": steps, "more": found.more,
                    "next": next(&found),
                });
                say!("{}", serde_json::to_string_pretty(&answer)?);
                return Ok(());
            }
            self.print(&key, pages, &found, &steps);
            Ok(())
        })
    }

    fn print(&self, key: &str, pages: usize, found: &Reasons, steps: &[Value]) {
        say!("{} {key} as of position {}", self.view, found.as_of);
        if pages > 1 {
            let customer = &self.key;
            say!("the last of {pages} pages; name another with its number: {customer}/1");
        }
        match &found.row {
            Some(row) => say!("{}\n", difference(None, Some(row))),
            None => say!("there is no such row now\n"),
        }
        for (reason, step) in found.reasons.iter().zip(steps) {
            let event = &reason.event;
            say!(
                "position {}  {}  {}",
                event.position,
                event.envelope.occurred_at,
                event.event.event_type()
            );
            let row = |name: &str| step.get(name).filter(|row| !row.is_null());
            say!("{}\n", difference(row("before"), row("after")));
        }
        if let Some(next) = next(found) {
            say!("There is more: add --after {next}");
        }
    }
}

/// What `--after` has to be for the next page; `None` where this was the last.
fn next(found: &Reasons) -> Option<u64> {
    found.reasons.last().filter(|_| found.more).map(|reason| reason.ordinal)
}

/// The key of the last page of a customer's timeline, and how many pages there are.
fn last_page(engine: &Engine, customer: &str) -> anyhow::Result<(String, usize)> {
    let reader = engine.reader::<Timeline>();
    let id: CustomerId = customer.parse()?;
    let directory = reader.snapshot()?.get(&(id, 0))?;
    match directory.map(|row| row.view) {
        Some(Timeline::Directory(pages)) => {
            let number = pages.last().map_or(1, |(_, number)| *number);
            Ok((format!("{customer}/{number}"), pages.len()))
        }
        _ => bail!(
            "the ledger has nothing of {customer}: GraphQL `customer(by: {{identifier: …}})` finds \
             the id of a customer"
        ),
    }
}

/// What differs between two rows, field by field; all fields where there is only one row.
fn difference(before: Option<&Value>, after: Option<&Value>) -> String {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    fields(String::new(), before.unwrap_or(&Value::Null), &mut old);
    fields(String::new(), after.unwrap_or(&Value::Null), &mut new);
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_by_cached_key(|name| in_order(name));
    names.dedup();
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let text = |of: &BTreeMap<String, String>, name: &String| of.get(name).cloned();
    let mut table = match (before, after) {
        (Some(_), Some(_)) => compact(["field", "before", "after"]),
        (Some(_), None) => compact(["field", "before (the row is gone after)"]),
        _ => compact(["field", "value"]),
    };
    for name in changed {
        let mut cells = vec![name.clone()];
        cells.extend(before.map(|_| text(&old, name).unwrap_or_default()));
        cells.extend(after.map(|_| text(&new, name).unwrap_or_default()));
        table.add_row(cells);
    }
    if table.is_empty() { "  nothing in the row changed".into() } else { table.to_string() }
}

/// Sorts paths by their parts, numbers by what they count: the tenth does not stand before the second.
fn in_order(path: &str) -> Vec<(u64, String)> {
    path.split('.')
        .map(|part| part.parse().map_or((u64::MAX, part.to_owned()), |n| (n, String::new())))
        .collect()
}

/// What stands inside a row under its path; what is empty is left out. An entry of a list or a map
/// that holds nothing but plain values is one line.
fn fields(path: String, value: &Value, into: &mut BTreeMap<String, String>) {
    let inner = |name: &str| if path.is_empty() { name.into() } else { format!("{path}.{name}") };
    let is_entry = |members: &Map<String, Value>| {
        is_plain(value) || (path.contains('.') && members.values().all(is_plain))
    };
    match value {
        Value::Object(members) if !is_entry(members) => {
            members.iter().for_each(|(name, value)| fields(inner(name), value, into));
        }
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered.for_each(|(place, item)| fields(inner(&place.to_string()), item, into));
        }
        entry => into.extend(inline(entry, |_| false).map(|text| (path, text))),
    }
}

/// A directory that goes away with the command.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A fresh one in the system's folder for temporary files.
    pub fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("cxledger-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, whose folder it is in.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_a_list_is_one_line_and_the_tenth_stands_behind_the_second() {
        let entry = |n: u32| json!({ "channel": "web", "n": n, "stage": null });
        let name = json!({ "sealed": { "key": "7", "ciphertext": "2CGChA" } });
        let row = json!({
            "all": { "10": entry(3), "9": entry(4) }, "pages": [entry(1)], "name": name,
        });
        let shown = difference(None, Some(&row));
        let place = |text: &str| shown.find(text).unwrap_or_else(|| panic!("no {text}: {shown}"));
        assert!(place("all.9 ") < place("all.10 ") && place("all.10 ") < place("pages.0 "));
        assert!(shown.contains("channel: web, n: 4"), "{shown}");
        assert!(shown.contains("sealed with key 7") && !shown.contains("2CGChA"), "{shown}");
    }

    #[test]
    fn a_step_shows_what_changed_and_nothing_else() {
        let before = json!({ "interactions": 1, "channels": { "web": 1 }, "stage": "support" });
        let after = json!({ "interactions": 2, "channels": { "web": 2 }, "stage": "support" });
        let shown = difference(Some(&before), Some(&after));
        assert!(shown.contains("channels.web") && shown.contains("interactions"), "{shown}");
        assert!(!shown.contains("stage"), "{shown}");
        assert!(difference(None, Some(&after)).contains("support"));
        assert!(difference(Some(&after), Some(&after)).contains("nothing"));
    }
}
