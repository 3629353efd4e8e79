//! `cxledger torture`: kills a process that writes, again and again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;
use cx_ledger::torture;

/// Kill a process that writes, again and again, and look whether anything was lost.
///
/// A child appends from several threads and is killed at a random moment; what is left is opened and
/// compared with what was sent and what was acknowledged.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger torture --kills 200
  cxledger torture --kills 1000 --seed 7 --directory /mnt/disk/torture")]
pub struct Torture {
    /// How often.
    #[arg(long, default_value_t = 1000)]
    kills: u64,
    /// Repeats the same moments, as far as the machine does.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the logs are made: ./cxledger-torture if left out, which is removed at the end.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The child's part.
    #[arg(long, hide = true, requires = "directory")]
    child_round: Option<u64>,
}

/// Runs the command.
pub fn run(args: &Torture) -> anyhow::Result<()> {
    if let (Some(round), Some(directory)) = (args.child_round, &args.directory) {
        return Ok(torture::child(directory, round)?);
    }
    let default = PathBuf::from("./cxledger-torture");
    let directory = args.directory.as_ref().unwrap_or(&default);
    let program = std::env::current_exe().context("the path of this program is not known")?;
    let start = |folder: &Path, round: u64| {
        let mut command = Command::new(&program);
        command.args(["torture", "--child-round", &round.to_string(), "--directory"]).arg(folder);
        command
    };
    let tally = torture::run(directory, args.kills, args.seed, start)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    say!("kills                      {}", tally.kills);
    say!("acknowledged appends       {}", tally.acknowledged);
    say!("acknowledged and lost      {}", tally.lost);
    say!("read and never sent        {}", tally.phantoms);
    say!("torn appends               {}", tally.torn);
    say!("kept without an answer     {}", tally.unacknowledged_kept);
    ensure!(tally.is_clean(), "the log broke its promise; {} holds the files", directory.display());
    if args.directory.is_none() {
        std::fs::remove_dir_all(directory)?;
    }
    Ok(())
}
