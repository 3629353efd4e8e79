//! Importing rows of the quarantine again.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::show::{left, short};
use super::store::{Entry, Quarantine};
use crate::import::counts::Counts;
use crate::import::intake::ERASED;
use crate::import::row::{Fault, Row};
use crate::import::run::{Data, MappingText, Origin, Run};
use crate::say::counted;
use crate::table::{keep_whole, table};

/// So many rows that stay are printed.
const PRINTED: usize = 20;

/// What became of rows that were imported again.
#[derive(Debug, Default)]
pub struct Retaken {
    /// How many.
    pub counts: Counts,
    /// Those that were refused again, with the reason of now.
    pub stays: Vec<Entry>,
}

/// Imports rows again; an import of its own for each file and mapping.
pub fn retake(
    data: Data<'_>,
    store: &mut Quarantine,
    entries: &[Entry],
    mapping: Option<&MappingText>,
) -> anyhow::Result<Retaken> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        groups.entry((&entry.mapping_digest, &entry.file_digest)).or_default().push(entry);
    }
    let keyed = |purpose: &str, name: &str| data.book.vault().keyed_id(purpose, &[name.as_bytes()]);
    let mut retaken = Retaken::default();
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
        retaken.stays.extend(note_reasons(store, &rows, refused)?);
        retaken.counts += &counts;
    }
    Ok(retaken)
}

/// A row that is refused again may be refused for another reason.
fn note_reasons(
    store: &mut Quarantine,
    rows: &[&Entry],
    refused: Vec<(Uuid, Fault)>,
) -> anyhow::Result<Vec<Entry>> {
    let mut stays = Vec::with_capacity(refused.len());
    for (id, fault) in refused {
        if let Some(entry) = rows.iter().find(|entry| entry.id == id) {
            let mut entry = (*entry).clone();
            (entry.column, entry.reason) = (fault.column, fault.reason);
            store.mend(&entry)?;
            stays.push(entry);
        }
    }
    Ok(stays)
}

/// Prints what was taken, what stays and why, and what to do next.
pub fn print(retaken: &Retaken, rows_left: u64, option: &str, as_json: bool) -> anyhow::Result<()> {
    let Retaken { counts, stays } = retaken;
    if as_json {
        let stays: Vec<Value> = stays
            .iter()
            .map(|entry| {
                json!({
                    "id": entry.id, "file": entry.file, "line": entry.line,
                    "column": entry.column, "reason": entry.reason,
                })
            })
            .collect();
        let mut answer = serde_json::to_value(counts)?;
        answer["stays"] = stays.into();
        answer["left"] = rows_left.into();
        say!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    if counts.read == 0 {
        say!("there is nothing to take again: {}", left(rows_left, option));
        return Ok(());
    }
    let mut words = vec![format!("{} taken ({})", counts.taken, counted(counts.events, "event"))];
    if counts.repeated > 0 {
        words.push(format!("{} in the ledger already", counts.repeated));
    }
    words.push(match counts.quarantined {
        0 => "none stays".to_owned(),
        1 => "1 stays".to_owned(),
        more => format!("{more} stay"),
    });
    say!("{}: {}", counted(counts.read, "row"), words.join(", "));
    let Some(first) = stays.first() else {
        say!("{}", left(rows_left, option));
        return Ok(());
    };
    let mut shown = table(["id", "file", "line", "column", "why it stays"]);
    for entry in stays.iter().take(PRINTED) {
        shown.add_row([
            short(entry),
            entry.file.clone(),
            entry.line.to_string(),
            entry.column.clone().unwrap_or_default(),
            entry.reason.clone(),
        ]);
    }
    keep_whole(&mut shown, 1);
    say!("{shown}");
    if stays.len() > PRINTED {
        let more = stays.len() - PRINTED;
        say!("and {more} more: cxledger quarantine list{option}");
    }
    let (id, column) = (short(first), first.column.as_deref().unwrap_or("COLUMN"));
    if first.reason == ERASED {
        say!("Rows of erased customers are never taken: cxledger quarantine drop {id}{option}");
    } else {
        say!("Correct one: cxledger quarantine mend {id} --set {column}=VALUE{option}");
        say!("or let it go: cxledger quarantine drop {id}{option}");
        say!("Is the mapping at fault? cxledger quarantine retake --mapping MAP.toml{option}");
    }
    Ok(())
}
