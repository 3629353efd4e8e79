//! cxledger: every customer interaction as an immutable event, and the views folded from them.

mod bench;
mod import;
mod open;
mod quarantine;
mod torture;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An event-sourced customer-experience ledger.
#[derive(Debug, Parser)]
#[command(name = "cxledger", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// One file of this folder a command.
#[derive(Debug, Subcommand)]
enum Command {
    /// Measures, and prints the machine with the figures.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Kills a writing process again and again, and counts what is lost.
    Torture(torture::Torture),
    Import(import::Import),
    Quarantine(quarantine::Command),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Bench(bench) => bench::run(&bench),
        Command::Torture(torture) => torture::run(&torture),
        Command::Import(command) => command.run(),
        Command::Quarantine(command) => command.run(),
    }
}
