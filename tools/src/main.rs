//! cxledger: every customer interaction as an immutable event, and the views folded from them.

use clap::{Parser, Subcommand};

mod import;
mod open;
mod quarantine;

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
    Import(import::Import),
    Quarantine(quarantine::Command),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Import(command) => command.run(),
        Command::Quarantine(command) => command.run(),
    }
}
