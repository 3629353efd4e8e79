//! Correcting a row, and saying whether it can be taken then.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use cx_model::ImportId;
use serde_json::json;
use uuid::Uuid;

use super::show::{place, short};
use super::store::{Entry, Quarantine};
use crate::import::prepare::{Identity, Preparer};
use crate::import::row::{Columns, Fault, Row};
use crate::import::run::{Data, MappingText};
use crate::nearest::hint;
use crate::table::compact;

/// What stands in the place of the reason once nothing is wrong with a row.
const READY: &str = "mended: take it again with `cxledger quarantine retake`";

/// Corrects a row and prints what came of it and what is next.
pub fn run(
    data: Data<'_>,
    store: &mut Quarantine,
    entry: &Entry,
    set: &[String],
    row: Option<&str>,
    option: &str,
    as_json: bool,
) -> anyhow::Result<()> {
    // Without the copy of the mapping the row's own columns are all that is known.
    let mapping = store.mapping(&entry.mapping_digest).ok();
    let mapping = mapping.and_then(|text| MappingText::parse(text).ok());
    let named = mapping.iter().flat_map(|mapping| mapping.mapping.columns.names());
    let mut mended = mended(entry, set, row, named)?;
    if let (true, None, Some(mapping)) = (entry.unread, row, &mapping) {
        must_be_whole(&mended, &mapping.mapping.columns)?;
    }
    let verdict = mapping.as_ref().map(|mapping| ready(data, mapping, &mended));
    (mended.column, mended.reason) = match &verdict {
        Some(Err(fault)) => (fault.column.clone(), fault.reason.clone()),
        _ => (None, READY.to_owned()),
    };
    store.mend(&mended)?;
    if as_json {
        let ready = verdict.as_ref().map(Result::is_ok);
        say!("{}", serde_json::to_string_pretty(&json!({ "ready": ready, "row": mended }))?);
        return Ok(());
    }
    print(entry, &mended, verdict.as_ref(), option);
    Ok(())
}

fn print(before: &Entry, mended: &Entry, verdict: Option<&Result<(), Fault>>, option: &str) {
    let id = short(mended);
    say!("{id}: {}, line {}, is changed", mended.file, mended.line);
    let mut shown = compact(["column", "before", "now"]);
    for (name, now) in &mended.values {
        let old = before.values.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        if old != Some(now) {
            shown.add_row([name, old.unwrap_or(&String::new()), now]);
        }
    }
    if !shown.is_empty() {
        say!("{shown}");
    }
    match verdict {
        Some(Ok(())) => say!("It can be taken now: cxledger quarantine retake {id}{option}"),
        Some(Err(_)) => {
            say!("It still cannot be taken. {}: {}", place(mended), mended.reason);
            let column = mended.column.as_deref().unwrap_or("COLUMN");
            say!("Correct it: cxledger quarantine mend {id} --set {column}=VALUE{option}");
        }
        None => say!(
            "The mapping it was read with is gone: cxledger quarantine retake {id} --mapping \
             MAP.toml{option}"
        ),
    }
}

/// Whether a row could be taken, as far as the row itself says.
pub fn ready(data: Data<'_>, mapping: &MappingText, entry: &Entry) -> Result<(), Fault> {
    let keyed = |purpose: &str, name: &str| data.book.vault().keyed_id(purpose, &[name.as_bytes()]);
    let mut preparer = Preparer::new(&mapping.mapping, ImportId(Uuid::nil()), &keyed);
    let row = Row::of_pairs(entry.line, &entry.values, &mapping.mapping.columns);
    let source = match preparer.identify(&row)? {
        Identity::New(source) => source,
        Identity::Same => return Ok(()),
    };
    preparer.prepare(&row, &source).map(|_| ())
}

/// A row that could not be read is not made whole by one value: what its mapping needs is there.
pub fn must_be_whole(entry: &Entry, columns: &Columns) -> anyhow::Result<()> {
    let missing = columns.missing(|name| entry.values.iter().any(|(known, _)| known == name));
    ensure!(
        missing.is_empty(),
        "the row is not whole, and {} {} still missing: {}\n\
         give each by --set COLUMN=VALUE, or the whole row by --row",
        missing.len(),
        if missing.len() == 1 { "column is" } else { "columns are" },
        missing.join(", ")
    );
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
                let near = hint(name, known.iter().copied());
                bail!("the row has no column {name}{near}; its columns are {}", known.join(", "));
            }
        }
    }
    Ok(mended)
}
