//! `cxledger restore`: a data directory from a backup, proven by opening it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use cx_ledger::embedded::restore;

use crate::open::Places;
use crate::quarantine::carry;
use crate::quarantine::store::FOLDER;
use crate::say::data_option;

/// Put a backup into a new data directory, open it and read every byte.
///
/// Nothing that exists is overwritten. Views are made again when the server starts; the key store
/// comes from its own backup.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger restore /backup/2026-01-31 --data ./restored

Then put the backup of the folder keys into it, and start `cxledger serve` on it: customers who were
erased since either backup was made are erased again, in the ledger, its views and the quarantine.")]
pub struct Restore {
    /// The directory that `cxledger backup` made.
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// The new data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Restore) -> anyhow::Result<()> {
    let places = Places::new(&args.data);
    ensure!(
        args.from.is_dir(),
        "there is no backup in {}: name the directory that `cxledger backup` made",
        args.from.display()
    );
    ensure!(
        is_empty(&places.quarantine()),
        "nothing was restored: {} holds rows already, and nothing is overwritten: name a new \
         directory with --data",
        places.quarantine().display()
    );
    mark_restored(&places).context("nothing was restored")?;
    let verified = restore(&args.from, &places.ledger()).context("nothing was restored")?;
    let rows = carry::copy(&args.from.join(FOLDER), &places.quarantine())
        .context("the ledger was restored and the quarantine was not")?;
    crate::backup::show(&verified, "the restored ledger holds", rows, &args.data, args.json)?;
    if !args.json {
        say!("now put the backup of its keys into {}", places.keys().display());
        say!("and start `cxledger serve{}`:", data_option(&args.data));
        say!("erasures made since either backup are repeated first");
    }
    Ok(())
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none())
}

/// Says in the data directory that erasures are to be repeated, durably and before there is a
/// ledger to open: who was erased after the keys' backup was made must not come back with it. A
/// directory that holds a ledger already is refused by the restore, and is not marked.
fn mark_restored(places: &Places) -> io::Result<()> {
    if let Ok(mut entries) = fs::read_dir(places.ledger())
        && entries.next().is_some()
    {
        return Ok(());
    }
    fs::create_dir_all(places.data())?;
    let mut mark = File::create(places.restored())?;
    mark.write_all(b"erasures are to be repeated\n")?;
    mark.sync_all()?;
    File::open(places.data())?.sync_all()
}

#[cfg(test)]
mod tests {
    use cx_ledger::EmbeddedLog;
    use cx_ledger::embedded::Options;

    use super::*;

    #[test]
    fn erasures_are_repeated_wherever_a_ledger_was_put_and_nowhere_else() {
        let scratch = tempfile::tempdir().unwrap();
        let from = scratch.path().join("backup");
        fs::create_dir(&from).unwrap();
        drop(EmbeddedLog::open(&from, Options::default()).unwrap());
        let restore_to = |name: &str| {
            let args = Restore { from: from.clone(), data: scratch.path().join(name), json: true };
            (run(&args), Places::new(&args.data))
        };
        let (restored, places) = restore_to("missing");
        restored.unwrap();
        assert!(places.restored().exists());
        fs::create_dir_all(scratch.path().join("empty/ledger")).unwrap();
        let (restored, places) = restore_to("empty");
        restored.unwrap();
        assert!(places.restored().exists());
        // The mark is gone once the erasures were repeated; a refused restore does not put it back.
        fs::remove_file(places.restored()).unwrap();
        let (restored, places) = restore_to("empty");
        assert!(restored.is_err());
        assert!(!places.restored().exists());
    }
}
