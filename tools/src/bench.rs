//! `cxledger bench`: what this machine reaches, measured. One file a subject.

mod esdb;
mod graphql;
mod hostile;
mod log;
pub mod machine;
mod views;

use clap::Subcommand;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// The embedded log: appends against raw syncs, catch-up, opening, size on disk.
    Log(log::Log),
    /// The views: catching up, rebuilding, disk and memory, readers' latency while writing.
    Views(views::Arguments),
    /// A page of a timeline over GraphQL, against a bare handler over the same rows.
    Graphql(graphql::Graphql),
    /// The event-store endpoint: single appends over many connections, and reading.
    Esdb(esdb::Esdb),
    /// What hostile GraphQL requests cost before they are refused.
    Hostile(hostile::Hostile),
}

/// A bench removes its directory afterwards, so it takes none that holds something.
fn must_be_empty(directory: &std::path::Path) -> anyhow::Result<()> {
    let mut entries = std::fs::read_dir(directory).into_iter().flatten();
    anyhow::ensure!(
        entries.next().is_none(),
        "{} holds something, and a bench removes its directory: name an empty one with --directory",
        directory.display()
    );
    Ok(())
}

/// Runs the command.
pub fn run(bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Log(log) => log::run(log),
        Bench::Views(arguments) => views::run(arguments),
        Bench::Graphql(arguments) => graphql::run(arguments),
        Bench::Esdb(arguments) => esdb::run(arguments),
        Bench::Hostile(hostile) => hostile.run(),
    }
}
