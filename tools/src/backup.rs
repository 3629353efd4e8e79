//! `cxledger backup`: a copy of the ledger, also while a server runs.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use cx_ledger::EmbeddedLog;
use cx_ledger::embedded::Verified;

/// Copies everything that is durable into a new directory and reads every byte of the copy. A
/// server may go on writing. The key store is not copied: keep its backup elsewhere, since a copy of
/// both opens what was erased later.
#[derive(Debug, Args)]
pub struct Backup {
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data")]
    data: PathBuf,
    /// A new or empty directory.
    to: PathBuf,
}

/// Runs the command.
pub fn run(args: &Backup) -> anyhow::Result<()> {
    crate::elsewhere::must_not_be(
        "`cxledger copy --from ADDRESS --to DIR` makes and continues a copy of it, or use the event \
         store's own backup; and keep one of the directory keys apart from it",
    )?;
    let (log, _) = EmbeddedLog::open_read_only(&args.data.join("ledger"))?;
    let verified = log.backup_to(&args.to).context("no backup was made")?;
    show("the backup holds", &verified);
    Ok(())
}

/// Prints what was proven.
pub fn show(what: &str, verified: &Verified) {
    let digest = verified.digest_text();
    let (head, appends) = (verified.head, verified.appends);
    say!("{what} {appends} appends up to position {head}\ndigest {digest}");
}
