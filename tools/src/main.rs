//! cxledger: every customer interaction as an immutable event, and the views folded from them.

use std::io::IsTerminal;
use std::process::ExitCode;

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

#[macro_use]
mod say;

mod as_of;
mod backup;
mod bench;
mod census;
mod config;
mod copy;
mod demo;
mod elsewhere;
mod erase;
mod explain;
mod import;
mod inline;
mod meeting;
mod nearest;
mod new_view;
mod node;
mod open;
mod past;
mod quarantine;
mod repair;
mod replay;
mod restore;
mod schema;
mod serve;
mod status;
mod table;
mod torture;
mod verify;
mod warm;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where somebody begins who has only this program.
const START: &str = "Begin with
  cxledger demo                              a year of customers to look at
  cxledger import FILE --mapping MAP.toml    your own files
  cxledger serve                             GraphQL at http://127.0.0.1:8080/
  cxledger COMMAND --help                    examples of each command

CXLEDGER_DATA names the data directory of all commands. CXLEDGER_LOG=info says more on standard error.";

/// An event-sourced customer-experience ledger.
#[derive(Debug, Parser)]
#[command(name = "cxledger", version, arg_required_else_help = true, after_help = START)]
struct Cli {
    /// A file of settings; else cxledger.toml in the data directory, where there is one. See `cxledger config`.
    #[arg(long, env = "CXLEDGER_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// One file of this folder a command.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Import(import::Import),
    Quarantine(quarantine::Command),
    Replay(replay::Replay),
    Explain(explain::Explain),
    Status(status::Status),
    Past(past::Past),
    Warm(warm::Warm),
    Verify(verify::Verify),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Copy(copy::Copy),
    Repair(repair::Repair),
    Erase(erase::Erase),
    Config(config::Config),
    Schema(schema::Schema),
    NewView(new_view::NewView),
    /// Measure, and print the machine with the figures.
    #[command(subcommand)]
    Bench(bench::Bench),
    Torture(torture::Torture),
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::refusal(&error);
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    let matches = config::matches(Cli::command())?;
    let filter = config::value("CXLEDGER_LOG")
        .and_then(|directives| tracing_subscriber::EnvFilter::try_new(directives).ok())
        // What the client of an event store logs at each attempt, the ledger says once.
        .unwrap_or_else(|| tracing_subscriber::EnvFilter::new("warn,kurrentdb=off"));
    // Colours are for a terminal, and only for those who want them.
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    log.with_writer(std::io::stderr).init();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.command {
        Command::Demo(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Quarantine(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Past(command) => command.run(),
        Command::Warm(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Backup(command) => backup::run(&command),
        Command::Restore(command) => restore::run(&command),
        Command::Copy(command) => command.run(),
        Command::Repair(command) => repair::run(&command),
        Command::Erase(command) => command.run(),
        Command::Config(command) => {
            let (_, given) = matches.subcommand().expect("a command was understood");
            command.run(given)
        }
        Command::NewView(command) => command.run(),
        Command::Bench(command) => bench::run(&command),
        Command::Torture(command) => torture::run(&command),
        Command::Schema(_) => {
            schema::Schema::run();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn each(command: &clap::Command, seen: &mut impl FnMut(&clap::Command)) {
        if !command.has_subcommands() {
            seen(command);
        }
        let named = command.get_subcommands().filter(|command| command.get_name() != "help");
        named.for_each(|command| each(command, seen));
    }

    #[test]
    fn every_command_says_what_it_does_and_has_an_example() {
        let mut command = Cli::command();
        command.build();
        each(&command, &mut |command| {
            let name = command.get_name();
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty(), "{name} does not say what it does");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example") && help.contains("cxledger "), "{name}: no example");
        });
    }
}
