//! `cxledger repair`: cuts a damaged ledger back, by order of a person.

use std::path::PathBuf;

use clap::Args;
use cx_ledger::embedded::repair;

use crate::open::Places;

/// Find the first damage of the ledger and say what would be lost; with --yes cut it off.
///
/// With --yes the ledger is cut back to the whole appends before the damage; the files that held the
/// rest are put aside under names that end in `.damaged`, and nothing is removed. Restoring a backup
/// loses less: try that first. A run that a crash has torn needs no repair; opening cuts it back by
/// itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger repair --data /var/lib/cxledger
  cxledger repair --data /var/lib/cxledger --yes")]
pub struct Repair {
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn run(args: &Repair) -> anyhow::Result<()> {
    crate::elsewhere::must_not_be("its own tools repair it")?;
    let places = Places::new(&args.data);
    places.ledger_is_there()?;
    let Some(cut) = repair(&places.ledger(), args.yes)? else {
        say!("every byte is as it was written; there is nothing to repair");
        return Ok(());
    };
    say!("{} is damaged at byte {}: {}", cut.path.display(), cut.offset, cut.reason);
    let is_index = cut.path.extension().is_some_and(|extension| extension == "index");
    if is_index {
        say!("it is an index and is made again when the ledger is opened; no event is lost");
    } else {
        say!("whole before it: every event up to position {}", cut.kept);
    }
    if args.yes {
        say!("put aside: {}", cut.aside.join(", "));
        say!("run `cxledger repair` again to see whether there is more");
    } else {
        say!("nothing was changed; with --yes these are put aside: {}", cut.aside.join(", "));
    }
    Ok(())
}
