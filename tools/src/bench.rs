//! `cxledger bench`: one file a subject.

mod log;
pub mod machine;

use clap::Subcommand;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// The embedded log: appends against raw syncs, catch-up, opening, size on disk.
    Log(log::Log),
}

/// Runs the command.
pub fn run(bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Log(log) => log::run(log),
    }
}
