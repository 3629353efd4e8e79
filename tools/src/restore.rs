//! `cxledger restore`: a data directory from a backup, proven by opening it.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use cx_ledger::embedded::restore;

/// Puts a backup into a new data directory, opens it and reads every byte. Nothing that exists is
/// overwritten. Views are made again when the server starts; the key store comes from its own backup.
#[derive(Debug, Args)]
pub struct Restore {
    /// The directory that `cxledger backup` made.
    from: PathBuf,
    /// The new data directory.
    #[arg(long, default_value = "./cxledger-data")]
    data: PathBuf,
}

/// Runs the command.
pub fn run(args: &Restore) -> anyhow::Result<()> {
    let places = crate::open::Places::new(&args.data);
    if !places.ledger().exists() {
        // First of all: who was erased after the keys' backup was made must not come back with it.
        std::fs::create_dir_all(&args.data)?;
        std::fs::write(places.restored(), "erasures are to be repeated\n")?;
    }
    let verified = restore(&args.from, &places.ledger()).context("nothing was restored")?;
    crate::backup::show("the restored ledger holds", &verified);
    say!("now put the backup of its keys into {}", args.data.join("keys").display());
    say!("and start `cxledger serve` on it: erasures made since that backup are repeated first");
    Ok(())
}
