//! cxledger: every customer interaction as an immutable event, and the views folded from them.

mod bench;

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
    /// Measures.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Bench(bench) => bench.run(),
    }
}
