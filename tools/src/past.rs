//! `cxledger past`: all views as they stood, kept so that a server can answer from them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use cx_projections::Pasts;

use crate::open::Opened;
use crate::replay::position_of;

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
    #[arg(long)]
    at: Option<String>,
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data")]
    data: PathBuf,
}

impl Past {
    /// Folds, or lists.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_read(&self.data)?;
        let ledger = Arc::clone(opened.book.ledger());
        let pasts = Pasts::new(Arc::clone(&ledger), &opened.places.past());
        opened.runtime.block_on(async {
            let Some(at) = &self.at else {
                let kept = pasts.kept();
                if kept.is_empty() {
                    say!("nothing is kept: make it with `cxledger past --at POSITION|TIME`");
                }
                for position in kept {
                    say!("position {position}");
                }
                return Ok(());
            };
            let started = Instant::now();
            let at = position_of(&*ledger, Some(at)).await?;
            let there = pasts.kept();
            let kept = pasts.fold(at).await?;
            if there.contains(&kept) {
                say!("the views as they stood at position {kept} were kept already");
            } else {
                let seconds = started.elapsed().as_secs_f64();
                say!(
                    "the views as they stood at position {kept} are kept, folded in {seconds:.1} s"
                );
            }
            say!("ask for them with asOf: {{position: \"{kept}\"}}");
            Ok(())
        })
    }
}
