//! How far the keys were looked at: a file beside them, so that a backup of the keys is as old as
//! what it says.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use cx_ledger::book::ReviewedTo;

use super::Opened;

/// Holds the position and the id of the last event up to which the keys were looked at.
const FILE: &str = "reviewed";

fn read(keys: &Path) -> Option<ReviewedTo> {
    let text = std::fs::read_to_string(keys.join(FILE)).ok()?;
    let (position, id) = text.trim().split_once(' ')?;
    Some(ReviewedTo { position: position.parse().ok()?, id: id.parse().ok()? })
}

fn write(keys: &Path, to: ReviewedTo) -> std::io::Result<()> {
    // Several nodes may do this at once: each writes a file of its own and puts it there whole.
    let unfinished = keys.join(format!("{FILE}.{}", uuid::Uuid::new_v4()));
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{} {}", to.position, to.id)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, keys.join(FILE))
}

impl Opened {
    /// Looks at what was appended since the keys were last looked at: whether they are this
    /// ledger's, and whether somebody was erased whose key is here alive, as after a restore of the
    /// keys. `repeat` destroys such keys, otherwise they are a reason not to read.
    pub(super) fn review(&self, repeat: bool) -> anyhow::Result<()> {
        let keys = self.places.keys();
        let since = read(&keys);
        let review = self.runtime.block_on(self.book.review_keys(since, repeat));
        let review = review.with_context(|| format!("the keys in {}", keys.display()))?;
        if !repeat && review.alive > 0 {
            bail!(
                "the keys in {} were restored, or are older than {} erasures that the ledger tells \
                 of, which are not repeated yet: start `cxledger serve` with them once",
                keys.display(),
                review.alive
            );
        }
        if review.alive > 0 {
            eprintln!(
                "The keys were older than the ledger, and who was erased since is erased again: {} destroyed.",
                crate::say::counted(review.alive, "key")
            );
        }
        match review.to {
            Some(to) if repeat && review.to != since => write(&keys, to)
                .with_context(|| format!("{} cannot be written", keys.join(FILE).display())),
            _ => Ok(()),
        }
    }
}
