//! cxledger: every customer interaction as an immutable event, and the views folded from them.

mod backup;
mod bench;
mod import;
mod open;
mod quarantine;
mod repair;
mod restore;
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
    Backup(backup::Backup),
    /// Measures, and prints the machine with the figures.
    #[command(subcommand)]
    Bench(bench::Bench),
    Repair(repair::Repair),
    Restore(restore::Restore),
    Torture(torture::Torture),
    Import(import::Import),
    Quarantine(quarantine::Command),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Backup(args) => backup::run(&args),
        Command::Bench(bench) => bench::run(&bench),
        Command::Repair(args) => repair::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Torture(torture) => torture::run(&torture),
        Command::Import(command) => command.run(),
        Command::Quarantine(command) => command.run(),
    }
}
