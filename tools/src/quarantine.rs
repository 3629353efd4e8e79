//! `cxledger quarantine`: rows that could not be taken.

pub mod aside;
pub mod carry;
pub mod entry;
pub mod erased;
mod mend;
mod retake;
mod sealed;
mod show;
pub mod store;

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use crate::import::load_mapping;
use crate::import::run::Data;
use crate::open::Opened;
use crate::say::{counted, data_option};
#[cfg(test)]
pub use mend::{mended, must_be_whole, ready};
#[cfg(test)]
pub use retake::retake;
use store::{Entry, LIMIT_BYTES, Quarantine, Settled};

/// List, mend and take again the rows that could not be taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cxledger quarantine list
  cxledger quarantine show 5f0c1d2e
  cxledger quarantine mend 5f0c1d2e --set day=29.02.2024
  cxledger quarantine retake
  cxledger quarantine drop 5f0c1d2e

list and show work beside a running server; the others want it stopped.")]
pub struct Command {
    #[command(subcommand)]
    what: What,
    /// The data directory.
    #[arg(
        long,
        env = "CXLEDGER_DATA",
        default_value = "./cxledger-data",
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
    #[command(after_help = "Examples:
  cxledger quarantine list
  cxledger quarantine list --json | jq -r '.[].reason' | sort | uniq -c")]
    List,
    /// One row with everything in it.
    #[command(after_help = "Example: cxledger quarantine show 5f0c1d2e")]
    Show {
        /// Its id, or the first letters of it.
        id: String,
    },
    /// Correct a row, and say whether it can be taken now. It is taken by `retake`.
    #[command(after_help = "Examples:
  cxledger quarantine mend 5f0c1d2e --set day=29.02.2024 --set amount=12,50
  cxledger quarantine mend 5f0c1d2e --row '{\"number\": \"1003\", \"day\": \"29.02.2024\"}'")]
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
    #[command(after_help = "Examples:
  cxledger quarantine retake
  cxledger quarantine retake 5f0c1d2e
  cxledger quarantine retake --mapping corrected.toml")]
    Retake {
        /// Their ids, or the first letters of them; all rows if none is named.
        ids: Vec<String>,
        /// Another mapping, where the mapping was at fault.
        #[arg(long, value_name = "MAP.toml")]
        mapping: Option<PathBuf>,
    },
    /// Let rows go for good.
    #[command(after_help = "Example: cxledger quarantine drop 5f0c1d2e 77aa01bc")]
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
        let opened = if looks {
            Opened::to_read(&self.data)?
        } else {
            Opened::existing_to_write(&self.data)?
        };
        let (vault, now) = (opened.book.vault().clone(), Timestamp::now());
        let mut store = if looks {
            Quarantine::look(&self.data, vault, now)?
        } else {
            Quarantine::open(&self.data, vault, LIMIT_BYTES, now)?
        };
        let entries = store.entries()?;
        let data = Data { book: &opened.book, runtime: &opened.runtime };
        let option = data_option(&self.data);
        match &self.what {
            What::List => show::list(&entries, &self.data, self.json),
            What::Show { id } => show::show(find(&entries, id)?, &option, self.json),
            What::Mend { id, set, row } => {
                let entry = find(&entries, id)?;
                mend::run(data, &mut store, entry, set, row.as_deref(), &option, self.json)
            }
            What::Drop { ids } => {
                let ids = chosen(&entries, ids)?.iter().map(|entry| entry.id).collect::<Vec<_>>();
                store.settle(&ids, Settled::Dropped)?;
                let (dropped, left) = (ids.len() as u64, store.len() as u64);
                if self.json {
                    say!("{}", json!({ "dropped": dropped, "left": left }));
                } else {
                    say!("{} dropped; {}", counted(dropped, "row"), show::left(left, &option));
                }
                Ok(())
            }
            What::Retake { ids, mapping } => {
                let chosen = if ids.is_empty() { entries } else { chosen(&entries, ids)? };
                let mapping = mapping.as_deref().map(load_mapping).transpose()?;
                let retaken = retake::retake(data, &mut store, &chosen, mapping.as_ref())?;
                retake::print(&retaken, store.len() as u64, &option, self.json)
            }
        }
    }
}

fn find<'a>(entries: &'a [Entry], id: &str) -> anyhow::Result<&'a Entry> {
    ensure!(!entries.is_empty(), "the quarantine is empty: there is no row {id}");
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
