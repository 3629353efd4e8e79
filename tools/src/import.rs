//! `cxledger import`: files of other systems as events.

mod build;
mod catalogue;
pub mod counts;
mod delimited;
mod fields;
pub mod file;
mod history;
pub mod intake;
pub mod json;
mod kinds;
pub mod mapping;
mod moment;
mod number;
pub mod prepare;
mod reader;
pub mod row;
pub mod run;
pub mod shipped;
mod source;
mod template;
#[cfg(test)]
mod tests;
mod value;
mod xes;

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, bail};
use comfy_table::CellAlignment;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::nearest::hint;
use crate::open::Opened;
use crate::quarantine::store::{LIMIT_BYTES, Quarantine};
use crate::say::{counted, data_option};
use crate::table::compact;
use counts::{Counts, Summary};
use file::{check_all, import_file};
use run::{Data, MappingText};
pub use source::hex;

/// Take the rows of files into the ledger.
///
/// Importing a file again takes nothing twice. Rows that cannot be taken go to the quarantine, see
/// `cxledger quarantine`. All files are looked at first: if one of them cannot be read with the
/// mapping, nothing of any is taken.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("Examples:
  cxledger import 2017.csv.gz --mapping airport-2017
  cxledger import january.csv february.csv --mapping sales.toml --data ./shop
  cxledger import events.ndjson --mapping cloudevents --json

How to write a mapping: docs/importing.md. Mappings that come with the program: {}.", shipped::names()))]
pub struct Import {
    /// The files: as they are or packed with gzip.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The mapping: a file, or the name of one that comes with the program, such as airport-2017.
    #[arg(long, value_name = "MAP.toml")]
    mapping: PathBuf,
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

impl Import {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let mapping = load_mapping(&self.mapping)?;
        check_all(&self.files, &mapping)?;
        let opened = Opened::to_write(&self.data)?;
        let vault = opened.book.vault().clone();
        let mut quarantine = Quarantine::open(&self.data, vault, LIMIT_BYTES, Timestamp::now())?;
        let data = Data { book: &opened.book, runtime: &opened.runtime };
        let mut summaries = Vec::new();
        for file in &self.files {
            let bar = progress();
            let summary = import_file(data, file, &mapping, &mut quarantine, &bar);
            bar.finish_and_clear();
            summaries.push(summary?);
        }
        print(&summaries, &self.data, self.json)
    }
}

/// Reads a mapping from a file, or one of those that come with the program.
pub fn load_mapping(path: &std::path::Path) -> anyhow::Result<MappingText> {
    let shipped = path.to_str().and_then(shipped::named).filter(|_| !path.exists());
    let text = match shipped {
        Some(text) => text.to_owned(),
        None if !path.exists() => bail!(
            "there is no mapping {}{}: name a file, or one that comes with the program: {}",
            path.display(),
            hint(&path.to_string_lossy(), shipped::MAPPINGS.iter().map(|(name, _)| *name)),
            shipped::names()
        ),
        None => std::fs::read_to_string(path)
            .with_context(|| format!("the mapping {} cannot be read", path.display()))?,
    };
    MappingText::parse(text).with_context(|| format!("the mapping {} is not right", path.display()))
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{msg} {wide_bar} {bytes}/{total_bytes} {eta}";
    ProgressBar::new(0).with_style(
        ProgressStyle::with_template(style).expect("the template above is one of indicatif's"),
    )
}

fn print(summaries: &[Summary], data: &std::path::Path, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(summaries)?);
        return Ok(());
    }
    let mut table =
        compact(["file", "read", "taken", "repeated", "quarantined", "irregular", "events"]);
    let mut total = Counts::default();
    let row = |name: &str, counts: &Counts| {
        let Counts { read, taken, repeated, quarantined, irregular, events, .. } = counts;
        let numbers = [read, taken, repeated, quarantined, irregular, events];
        let mut cells = vec![name.to_owned()];
        cells.extend(numbers.iter().map(ToString::to_string));
        cells
    };
    for Summary { file, counts, .. } in summaries {
        table.add_row(row(file, counts));
        total += counts;
    }
    if summaries.len() > 1 {
        table.add_row(row("all", &total));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let seconds: f64 = summaries.iter().map(|summary| summary.seconds).sum();
    let speed = total.events as f64 / seconds.max(0.001);
    say!("{table}\n{} in {seconds:.2} s, {speed:.0} a second", counted(total.events, "event"));
    if total.erased > 0 {
        say!(
            "{} say something new of customers who were erased: nothing more is recorded of them. \
             Let the rows go with `cxledger quarantine drop`, or leave that to the next start of a \
             server.",
            counted(total.erased, "row")
        );
    }
    if total.quarantined > 0 {
        say!(
            "See the rows that could not be taken with `cxledger quarantine list{}`.",
            data_option(data)
        );
    }
    Ok(())
}
