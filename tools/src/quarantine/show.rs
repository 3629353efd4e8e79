//! Rows of the quarantine on a page.

use std::path::Path;

use super::store::Entry;
use crate::import::intake::ERASED;
use crate::say::{counted, data_option};
use crate::table::{compact, keep_whole, table};

/// The first letters of a row's id: enough to name it by.
pub fn short(entry: &Entry) -> String {
    entry.id.to_string()[..8].to_owned()
}

/// Prints the rows, and what to do with them.
pub fn list(entries: &[Entry], data: &Path, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        say!("{}", serde_json::to_string_pretty(entries)?);
        return Ok(());
    }
    if entries.is_empty() {
        say!("the quarantine of {} is empty", data.display());
        return Ok(());
    }
    let mut table = table(["id", "file", "line", "column", "reason", "mapping", "since"]);
    for entry in entries {
        table.add_row([
            short(entry),
            entry.file.clone(),
            entry.line.to_string(),
            entry.column.clone().unwrap_or_default(),
            entry.reason.clone(),
            entry.mapping.clone(),
            entry.at.strftime("%Y-%m-%d").to_string(),
        ]);
    }
    keep_whole(&mut table, 1);
    let option = data_option(data);
    let first = short(&entries[0]);
    say!("{table}");
    say!(
        "{}. See one with `cxledger quarantine show {first}{option}`,",
        counted(entries.len() as u64, "row")
    );
    say!("correct it with `cxledger quarantine mend {first} --set COLUMN=VALUE{option}`,");
    say!("take all that are right again with `cxledger quarantine retake{option}`.");
    if entries.iter().any(|entry| entry.reason == ERASED) {
        say!(
            "Rows of customers who were erased are never taken: let them go with `cxledger \
             quarantine drop`; a server that is started drops them too."
        );
    }
    Ok(())
}

/// Prints one row, and what to do with it.
pub fn show(entry: &Entry, option: &str, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        say!("{}", serde_json::to_string_pretty(entry)?);
        return Ok(());
    }
    let id = short(entry);
    say!("{}\n{}: {}", entry.id, place(entry), entry.reason);
    let mut table = compact(["column", "value"]);
    for (name, value) in &entry.values {
        table.add_row([name, value]);
    }
    say!("{table}");
    let column = entry.column.as_deref().unwrap_or("COLUMN");
    say!("correct it: cxledger quarantine mend {id} --set {column}=VALUE{option}");
    say!("take it:    cxledger quarantine retake {id}{option}");
    say!("let it go:  cxledger quarantine drop {id}{option}");
    Ok(())
}

/// Where a row came from, and its column at fault.
pub fn place(entry: &Entry) -> String {
    let column = entry.column.as_ref().map(|name| format!(", column {name}")).unwrap_or_default();
    format!("{}, line {}{column}", entry.file, entry.line)
}

/// What is left in the quarantine.
pub fn left(count: u64, option: &str) -> String {
    match count {
        0 => "the quarantine is empty now".to_owned(),
        _ => format!("{} left: `cxledger quarantine list{option}`", counted(count, "row")),
    }
}
