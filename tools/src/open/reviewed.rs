//! How far the keys were looked at: a file beside them, so that a backup of the keys is as old as
//! what it says.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use cx_ledger::book::{ACCEPT_KEYS, ReviewHow, ReviewedTo};
use cx_model::Position;

use super::Opened;
use crate::config;
use crate::say::counted;

/// Holds the position and the id of the last event up to which the keys were looked at, and how many
/// keys were destroyed by then.
const FILE: &str = "reviewed";

/// What the file says of keys of which so many are destroyed, and how many were then. The file and
/// the key store are not copied in one moment: beside a store that is older it says nothing.
fn read(keys: &Path, destroyed: u64) -> Option<(ReviewedTo, u64)> {
    let text = std::fs::read_to_string(keys.join(FILE)).ok()?;
    let mut words = text.split_whitespace();
    let (position, id) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let then: u64 = words.next()?.parse().ok()?;
    (destroyed >= then).then_some((ReviewedTo { position, id }, then))
}

fn write(keys: &Path, to: ReviewedTo, destroyed: u64) -> std::io::Result<()> {
    // Several nodes may do this at once: each writes a file of its own and puts it there whole.
    let unfinished = keys.join(format!("{FILE}.{}", uuid::Uuid::new_v4()));
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{} {} {destroyed}", to.position, to.id)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, keys.join(FILE))
}

/// Up to where the operator accepts values that other keys sealed.
fn accepted() -> anyhow::Result<Position> {
    let Some(text) = config::value(ACCEPT_KEYS) else { return Ok(Position::START) };
    text.trim().parse().ok().with_context(|| {
        format!("{ACCEPT_KEYS} is {text}: it names a position, as the error did that told of it")
    })
}

impl Opened {
    /// Looks at what was appended since the keys were last looked at: whether they are this
    /// ledger's, and whether somebody was erased whose key is here alive, as after a restore of the
    /// keys. `repeat` destroys such keys, otherwise they are a reason not to read.
    pub(super) fn review(&self, repeat: bool) -> anyhow::Result<()> {
        let keys = self.places.keys();
        let before = read(&keys, self.book.vault().counts().destroyed);
        let since = before.map(|(to, _)| to);
        let how = ReviewHow { since, repeat, accepted: accepted()? };
        let review = self.runtime.block_on(self.book.review_keys(how));
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
                counted(review.alive, "key")
            );
        }
        if review.damaged > 0 {
            eprintln!(
                "Damaged in {}: {}, one a customer, whose values cannot be read (they are not \
                 erased). A backup of the keys brings them back if nobody was new since it was made.",
                keys.display(),
                counted(review.damaged, "key")
            );
        }
        if review.foreign > 0 {
            eprintln!(
                "As {ACCEPT_KEYS} asks, {} that other keys sealed stay unreadable.",
                counted(review.foreign, "value")
            );
        }
        if !repeat {
            return Ok(());
        }
        let destroyed = self.book.vault().counts().destroyed;
        let seen = before.filter(|_| !review.anew).map_or(0, |(_, then)| then);
        // What is said here stands behind the last event that was looked at: the next start looks
        // past it, and until then the word of before holds.
        if destroyed > seen && self.say_erasures()? > 0 {
            return Ok(());
        }
        let now = review.to.map(|to| (to, destroyed));
        match now.filter(|now| Some(*now) != before) {
            Some((to, destroyed)) => write(&keys, to, destroyed)
                .with_context(|| format!("{} cannot be written", keys.join(FILE).display())),
            None => Ok(()),
        }
    }

    /// Tells the ledger of erasures that only the keys know of, as after a restore of the ledger.
    fn say_erasures(&self) -> anyhow::Result<u64> {
        let said = self.runtime.block_on(self.book.say_erasures())?;
        if said > 0 {
            eprintln!(
                "The ledger was older than the keys: it was told of {} that it did not know.",
                counted(said, "erasure")
            );
        }
        Ok(said)
    }
}
