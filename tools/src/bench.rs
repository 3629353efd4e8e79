//! `cxledger bench`: what this machine reaches, measured.

mod views;

use clap::Subcommand;

/// One file of this folder a bench.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// The views: catching up, rebuilding, disk and memory, readers' latency while writing.
    Views(views::Arguments),
}

/// Runs a bench.
pub fn run(bench: Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Views(arguments) => views::run(&arguments),
    }
}
