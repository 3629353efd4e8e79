//! `cxledger backup`: a copy of the ledger and the quarantine, also while a server runs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use cx_ledger::EmbeddedLog;
use cx_ledger::embedded::Verified;
use serde_json::json;

use crate::open::Places;
use crate::quarantine::carry;
use crate::quarantine::store::FOLDER;
use crate::say::counted;

/// Copy the ledger and the quarantine into a new directory, and read every byte of the copy.
///
/// A server may go on writing meanwhile. The key store is not copied: keep its backup elsewhere,
/// since a copy of both opens what was erased later.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger backup /backup/2026-01-31
  cxledger backup /backup/2026-01-31 --data /var/lib/cxledger --json

Copy the folder keys of the data directory too, to another place. Back with `cxledger restore`.")]
pub struct Backup {
    /// A new or empty directory.
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Backup) -> anyhow::Result<()> {
    crate::elsewhere::must_not_be(
        "`cxledger copy --from ADDRESS --to DIR` makes and continues a copy of it, or use the event \
         store's own backup; and keep one of the directories keys and quarantine apart from it",
    )?;
    let places = Places::new(&args.data);
    places.ledger_is_there()?;
    let (log, _) = EmbeddedLog::open_read_only(&places.ledger())?;
    // The quarantine first: what is taken out of it meanwhile is then in the ledger's copy.
    let aside = Aside::of(&places.quarantine(), &args.to).context("no backup was made")?;
    let verified = log.backup_to(&args.to).context("no backup was made")?;
    let rows = aside.put(&args.to.join(FOLDER)).context("the quarantine could not be copied")?;
    show(&verified, "the backup holds", rows, &args.to, args.json)
}

/// Prints what was proven.
pub fn show(
    verified: &Verified,
    what: &str,
    quarantine_files: u64,
    place: &Path,
    as_json: bool,
) -> anyhow::Result<()> {
    let digest = verified.digest_text();
    let (head, appends) = (verified.head, verified.appends);
    if as_json {
        let answer = json!({
            "directory": place, "appends": appends, "position": head.to_string(),
            "digest": digest, "quarantineFiles": quarantine_files,
        });
        say!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    say!("{what} {} up to position {head}", counted(appends, "append"));
    say!("digest {digest}");
    say!("and the quarantine: {} of sealed rows", counted(quarantine_files, "file"));
    Ok(())
}

/// A copy of the quarantine beside the backup, until there is a backup to put it into.
struct Aside(PathBuf);

impl Aside {
    fn of(quarantine: &Path, to: &Path) -> anyhow::Result<Self> {
        let to = std::path::absolute(to)?;
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = to.with_file_name(format!(".{name}.{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&aside)
            .with_context(|| format!("{} cannot be made", aside.display()))?;
        let aside = Self(aside);
        carry::copy(quarantine, &aside.0)
            .with_context(|| format!("{} cannot be copied", quarantine.display()))?;
        Ok(aside)
    }

    fn put(self, to: &Path) -> std::io::Result<u64> {
        carry::copy(&self.0, to)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // What is left of it is sealed, and named as what it is not: no backup.
        let _ = fs::remove_dir_all(&self.0);
    }
}
