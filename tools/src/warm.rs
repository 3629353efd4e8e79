//! `cxledger warm`: the views of this program, made before it serves.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use cx_projections::warm;
use serde_json::json;

use crate::open::Opened;

/// Make the generations that this program's code names, beside a server that serves older ones, and exit.
#[derive(Debug, Args)]
#[command(after_help = "Example: cxledger warm --data /var/lib/cxledger

Run it with the new program while the old one serves: the new program then serves its
views at once when it is started, and folds only what came since.")]
pub struct Warm {
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Warm {
    /// Makes what is missing.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_read(&self.data)?;
        let started = Instant::now();
        let ledger = Arc::clone(opened.book.ledger());
        let warmed = opened.runtime.block_on(warm(ledger, &opened.places.views()))?;
        if self.json {
            let answer = json!({
                "position": warmed.position.to_string(), "made": warmed.made, "there": warmed.there,
                "seconds": started.elapsed().as_secs_f64(),
            });
            say!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(());
        }
        if warmed.made.is_empty() {
            say!("every view of this program is there: nothing to make");
        } else {
            let seconds = started.elapsed().as_secs_f64();
            let (made, position) = (warmed.made.join(", "), warmed.position);
            say!("made up to position {position} in {seconds:.1} s: {made}");
        }
        if !warmed.there.is_empty() {
            say!("there already: {}", warmed.there.join(", "));
        }
        Ok(())
    }
}
