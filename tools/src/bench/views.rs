//! `cxledger bench views`: how fast all views follow a ledger, and what they take.

mod history;
mod measure;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
pub use measure::fill;
use serde_json::{Map, Value, json};

/// How much to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cxledger bench views --events 1000000 --json")]
pub struct Arguments {
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
    /// How many events; may be given more than once.
    #[arg(long, value_name = "EVENTS", default_values_t = [100_000, 1_000_000, 5_000_000])]
    events: Vec<u64>,
    /// Where to put the ledger and the views; a directory of the system's by default. It is removed.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// One measurement in a process of its own, so that memory is that measurement's alone.
    #[arg(long, hide = true)]
    step: Option<String>,
}

/// Measures, in a process of its own for each figure of memory.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let base = arguments.directory.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("cxledger-bench-views-{}", std::process::id()))
    });
    if let Some(step) = &arguments.step {
        let events = arguments.events.first().copied().context("a step has a number of events")?;
        let figures = measure::step(step, &base, events)?;
        say!("{figures}");
        return Ok(());
    }
    super::must_be_empty(&base)?;
    let mut all = Map::new();
    all.insert("cores".into(), json!(std::thread::available_parallelism()?.get()));
    for events in &arguments.events {
        let directory = base.join(events.to_string());
        let figures = measured(&directory, *events, arguments.json);
        std::fs::remove_dir_all(&directory).ok();
        all.insert(format!("events_{events}"), figures?);
    }
    std::fs::remove_dir_all(&base).ok();
    if arguments.json {
        say!("{}", Value::Object(all));
    }
    Ok(())
}

fn measured(directory: &Path, events: u64, json: bool) -> anyhow::Result<Value> {
    std::fs::create_dir_all(directory)?;
    let mut figures = Map::new();
    if !json {
        say!("{events} events");
    }
    for step in ["prepare", "catch-up", "restart", "rebuild", "timeline", "live"] {
        let mut child = Command::new(std::env::current_exe()?);
        child.args(["bench", "views", "--step", step, "--events", &events.to_string()]);
        child.stderr(std::process::Stdio::inherit());
        let output = child.arg("--directory").arg(directory).output()?;
        if !output.status.success() {
            bail!("step {step} failed");
        }
        let step: Map<String, Value> = serde_json::from_slice(&output.stdout)?;
        for (name, value) in step {
            if !json {
                say!("  {name:<44} {value}");
            }
            figures.insert(name, value);
        }
    }
    Ok(Value::Object(figures))
}
