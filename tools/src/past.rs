//! `cxledger past`: all views as they stood, kept so that a server can answer from them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use cx_model::Position;
use cx_projections::Pasts;
use serde_json::json;

use crate::as_of::position_of;
use crate::open::Opened;

/// Fold all views up to a position and keep them: figures are then served under that asOf.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger past --at 1200
  cxledger past --at 2026-01-31T12:00:00Z
  cxledger past

It runs beside a server. Ask then with asOf: `{ satisfaction(asOf: {position: \"1200\"}) { … } }`.
What is kept lies in the folder `past` of the data directory; remove a folder there to forget it.")]
pub struct Past {
    /// A position of the ledger, or a time at which it had taken the events; lists what is kept if left out.
    #[arg(long, value_name = "POSITION|TIME")]
    at: Option<String>,
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Past {
    /// Folds, or lists.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_read(&self.data)?;
        let ledger = Arc::clone(opened.book.ledger());
        let pasts = Pasts::new(Arc::clone(&ledger), &opened.places.past());
        opened.runtime.block_on(async {
            let Some(at) = &self.at else { return self.list(&pasts.kept()) };
            let started = Instant::now();
            let at = position_of(&*ledger, Some(at)).await?;
            let there = pasts.kept();
            let kept = pasts.fold(at).await?;
            let seconds = started.elapsed().as_secs_f64();
            self.tell(kept, there.contains(&kept), seconds, opened.served.as_deref())
        })
    }

    fn list(&self, kept: &[Position]) -> anyhow::Result<()> {
        let data = self.data.display();
        if self.json {
            let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
            say!("{}", serde_json::to_string_pretty(&json!({ "data": self.data, "kept": kept }))?);
            return Ok(());
        }
        if kept.is_empty() {
            say!("{data} keeps no views as they stood");
            say!("keep some with: cxledger past --at POSITION|TIME --data {data}");
            return Ok(());
        }
        say!("{data} keeps the views as they stood at");
        for position in kept {
            say!("  position {position}");
        }
        Ok(())
    }

    fn tell(
        &self,
        kept: Position,
        there: bool,
        seconds: f64,
        server: Option<&str>,
    ) -> anyhow::Result<()> {
        let data = self.data.display();
        if self.json {
            let answer = json!({
                "data": self.data, "position": kept.to_string(), "keptBefore": there,
                "seconds": seconds,
            });
            say!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(());
        }
        if there {
            say!("{data}: the views as they stood at position {kept} were kept already");
        } else {
            say!("{data}: the views as they stood at position {kept} are kept");
            say!("folded in {seconds:.1} s");
        }
        match server {
            Some(server) => say!("ask the server at {server}, for example"),
            None => {
                say!("start a server with `cxledger serve --data {data}` and ask it, for example");
            }
        }
        say!(
            "  {{ satisfaction(filter: {{metric: NPS}}, asOf: {{position: \"{kept}\"}}) {{ value n asOf }} }}"
        );
        say!("all that is kept: cxledger past --data {data}");
        Ok(())
    }
}
