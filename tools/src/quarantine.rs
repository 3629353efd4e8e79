//! `cxledger quarantine`: rows that could not be taken.

pub mod aside;
pub mod entry;
mod sealed;
pub mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::import::counts::Counts;
use crate::import::intake::ERASED;
use crate::import::load_mapping;
use crate::import::row::{Fault, Row};
use crate::import::run::{Data, MappingText, Origin, Run};
use crate::open::Opened;
use crate::table::table;
use store::{Entry, LIMIT_BYTES, Quarantine, Settled};

/// List, mend and take again the rows that could not be taken.
#[derive(Debug, clap::Args)]
pub struct Command {
    #[command(subcommand)]
    what: What,
    /// The data directory.
    #[arg(
        long,
        env = "CXLEDGER_DATA",
        default_value = "cxledger-data",
        value_name = "DIR",
        global = true
    )]
    data: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The rows: file, line, column and reason.
    List,
    /// One row with everything in it.
    Show {
        /// Its id, or the first letters of it.
        id: String,
    },
    /// Correct a row. It is taken by `retake`.
    Mend {
        /// Its id, or the first letters of it.
        id: String,
        /// What should stand in a column.
        #[arg(long, value_name = "COLUMN=VALUE")]
        set: Vec<String>,
        /// The whole row, as a JSON object of texts.
        #[arg(long, value_name = "JSON", conflicts_with = "set")]
        row: Option<String>,
    },
    /// Import rows again, with the mapping they were read with.
    Retake {
        /// Their ids, or the first letters of them; all rows if none is named.
        ids: Vec<String>,
        /// Another mapping, where the mapping was at fault.
        #[arg(long, value_name = "MAP.toml")]
        mapping: Option<PathBuf>,
    },
    /// Let rows go for good.
    Drop {
        /// Their ids, or the first letters of them.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        // What only looks works beside a running server, and touches nothing of it.
        let looks = matches!(self.what, What::List | What::Show { .. });
        let opened =
            if looks { Opened::to_read(&self.data)? } else { Opened::to_write(&self.data)? };
        let (vault, now) = (opened.book.vault().clone(), Timestamp::now());
        let mut store = if looks {
            Quarantine::look(&self.data, vault, now)?
        } else {
            Quarantine::open(&self.data, vault, LIMIT_BYTES, now)?
        };
        let entries = store.entries()?;
        match &self.what {
            What::List => list(&entries, self.json),
            What::Show { id } => show(find(&entries, id)?, self.json),
            What::Mend { id, set, row } => {
                let entry = find(&entries, id)?;
                // Without the copy of the mapping the row's own columns are all that is known.
                let mapping = store.mapping(&entry.mapping_digest).ok();
                let mapping = mapping.and_then(|text| MappingText::parse(text).ok());
                let named = mapping.iter().flat_map(|mapping| mapping.mapping.columns.names());
                let mended = mended(entry, set, row.as_deref(), named)?;
                store.mend(&mended)?;
                show(&mended, self.json)
            }
            What::Drop { ids } => {
                let ids = chosen(&entries, ids)?.iter().map(|entry| entry.id).collect::<Vec<_>>();
                store.settle(&ids, Settled::Dropped)?;
                answer(self.json, &json!({ "dropped": ids.len() }))
            }
            What::Retake { ids, mapping } => {
                let chosen = if ids.is_empty() { entries } else { chosen(&entries, ids)? };
                let mapping = mapping.as_deref().map(load_mapping).transpose()?;
                let data = Data { book: &opened.book, runtime: &opened.runtime };
                let counts = retake(data, &mut store, &chosen, mapping.as_ref())?;
                answer(self.json, &serde_json::to_value(counts)?)
            }
        }
    }
}

fn find<'a>(entries: &'a [Entry], id: &str) -> anyhow::Result<&'a Entry> {
    let mut found = entries.iter().filter(|entry| entry.id.to_string().starts_with(id));
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) => bail!("no row {id} is in the quarantine; see `cxledger quarantine list`"),
        (Some(_), Some(_)) => bail!("several rows begin with {id}: write more of the id"),
    }
}

fn chosen(entries: &[Entry], ids: &[String]) -> anyhow::Result<Vec<Entry>> {
    ids.iter().map(|id| find(entries, id).cloned()).collect()
}

fn answer(as_json: bool, value: &serde_json::Value) -> anyhow::Result<()> {
    if as_json {
        say!("{}", serde_json::to_string_pretty(value)?);
    } else {
        let members = value.as_object().into_iter().flatten();
        let words: Vec<_> = members.map(|(name, count)| format!("{name} {count}")).collect();
        say!("{}", words.join(", "));
    }
    Ok(())
}

fn list(entries: &[Entry], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        say!("{}", serde_json::to_string_pretty(entries)?);
        return Ok(());
    }
    let mut table = table(["id", "file", "line", "column", "reason", "mapping", "since"]);
    for entry in entries {
        table.add_row([
            entry.id.to_string()[..8].to_owned(),
            entry.file.clone(),
            entry.line.to_string(),
            entry.column.clone().unwrap_or_default(),
            entry.reason.clone(),
            entry.mapping.clone(),
            entry.at.strftime("%Y-%m-%d").to_string(),
        ]);
    }
    say!("{table}");
    if entries.iter().any(|entry| entry.reason == ERASED) {
        say!(
            "Rows of customers who were erased are never taken: let them go with `cxledger \
             quarantine drop`."
        );
    }
    Ok(())
}

fn show(entry: &Entry, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        say!("{}", serde_json::to_string_pretty(entry)?);
        return Ok(());
    }
    let column = entry.column.as_ref().map(|name| format!(", column {name}")).unwrap_or_default();
    say!("{}\n{}, line {}{column}: {}", entry.id, entry.file, entry.line, entry.reason);
    let mut table = table(["column", "value"]);
    for (name, value) in &entry.values {
        table.add_row([name, value]);
    }
    say!("{table}");
    Ok(())
}

/// The row with other values; of columns that it has or that its mapping names.
pub fn mended<'a>(
    entry: &Entry,
    set: &[String],
    row: Option<&str>,
    named: impl Iterator<Item = &'a str>,
) -> anyhow::Result<Entry> {
    let mut mended = entry.clone();
    mended.unread = false;
    if let Some(row) = row {
        let values: BTreeMap<String, String> =
            serde_json::from_str(row).context("--row takes a JSON object of texts")?;
        mended.values = values.into_iter().collect();
    } else {
        ensure!(!set.is_empty(), "say what to correct: --set COLUMN=VALUE, or --row JSON");
    }
    let named: Vec<&str> = named.collect();
    for one in set {
        let (name, value) = one
            .split_once('=')
            .with_context(|| format!("`{one}` is not of the form COLUMN=VALUE"))?;
        match mended.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None if named.contains(&name) => {
                mended.values.push((name.to_owned(), value.to_owned()));
            }
            None => {
                let mut known: Vec<&str> =
                    mended.values.iter().map(|(known, _)| known.as_str()).chain(named).collect();
                known.sort_unstable();
                known.dedup();
                bail!("the row has no column {name}; its columns are {}", known.join(", "));
            }
        }
    }
    Ok(mended)
}

/// Imports rows again; an import of its own for each file and mapping.
pub fn retake(
    data: Data<'_>,
    store: &mut Quarantine,
    entries: &[Entry],
    mapping: Option<&MappingText>,
) -> anyhow::Result<Counts> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        groups.entry((&entry.mapping_digest, &entry.file_digest)).or_default().push(entry);
    }
    let keyed = |purpose: &str, name: &str| data.book.vault().keyed_id(purpose, &[name.as_bytes()]);
    let mut total = Counts::default();
    for ((digest, file_digest), rows) in groups {
        let stored = match mapping {
            Some(_) => None,
            None => Some(MappingText::parse(store.mapping(digest)?)?),
        };
        let mapping = mapping.or(stored.as_ref()).expect("one of the two is there");
        let origin = Origin { file: rows[0].file.clone(), digest: file_digest.to_owned() };
        let mut run = Run::start(data, mapping, &keyed, store, origin)?;
        for entry in &rows {
            let mut row = Row::of_pairs(entry.line, &entry.values, &mapping.mapping.columns);
            if entry.unread {
                row.fault =
                    Some(Fault { column: entry.column.clone(), reason: entry.reason.clone() });
            }
            run.offer_again(row, entry)?;
        }
        let (_, counts, refused) = run.finish()?;
        note_reasons(store, &rows, refused)?;
        total += &counts;
    }
    Ok(total)
}

/// A row that is refused again may be refused for another reason.
fn note_reasons(
    store: &mut Quarantine,
    rows: &[&Entry],
    refused: Vec<(Uuid, Fault)>,
) -> anyhow::Result<()> {
    for (id, fault) in refused {
        if let Some(entry) = rows.iter().find(|entry| entry.id == id) {
            let mut entry = (*entry).clone();
            (entry.column, entry.reason) = (fault.column, fault.reason);
            store.mend(&entry)?;
        }
    }
    Ok(())
}
