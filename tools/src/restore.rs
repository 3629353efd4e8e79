//! `cxledger restore`: a data directory from a backup, proven by opening it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use cx_ledger::embedded::restore;

use crate::open::Places;

/// Puts a backup into a new data directory, opens it and reads every byte. Nothing that exists is
/// overwritten. Views are made again when the server starts; the key store comes from its own backup.
#[derive(Debug, Args)]
pub struct Restore {
    /// The directory that `cxledger backup` made.
    from: PathBuf,
    /// The new data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data")]
    data: PathBuf,
}

/// Runs the command.
pub fn run(args: &Restore) -> anyhow::Result<()> {
    let places = Places::new(&args.data);
    mark_restored(&places).context("nothing was restored")?;
    let verified = restore(&args.from, &places.ledger()).context("nothing was restored")?;
    crate::backup::show("the restored ledger holds", &verified);
    say!("now put the backup of its keys into {}", args.data.join("keys").display());
    say!("and start `cxledger serve` on it: erasures made since that backup are repeated first");
    Ok(())
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
            let args = Restore { from: from.clone(), data: scratch.path().join(name) };
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
