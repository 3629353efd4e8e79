//! `cxledger verify`: the log's digests, and the views against a fresh fold.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use cx_projections::{Engine, Options};
use serde_json::json;

use crate::open::Opened;

/// Verify a data directory: every frame of the log with its digest, every view against a fresh fold.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger verify
  cxledger verify --data /var/lib/cxledger --json

With a server running on the directory the log is verified and the views are left to it.")]
pub struct Verify {
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Fails if anything does not agree.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_read(&self.data)?;
        let elsewhere = crate::elsewhere::chosen()?;
        let log = match &elsewhere {
            Some(_) => None,
            None => Some(opened.log()?.verify()?),
        };
        if let Some(settings) = elsewhere.filter(|_| !self.json) {
            say!("log    left to the event store at {}", settings.address());
        }
        if let Some(log) = log.as_ref().filter(|_| !self.json) {
            let digest = log.digest_text();
            say!(
                "log    {} appends up to position {}, {} bytes",
                log.appends,
                log.head,
                log.size_bytes
            );
            say!("       digest {digest}");
        }
        let served = opened.served.is_some();
        let mut views = Vec::new();
        if !served {
            views = opened.runtime.block_on(async {
                let ledger = Arc::clone(opened.book.ledger());
                let head = ledger.head().await?;
                let engine =
                    Engine::start(ledger, &opened.places.views(), Options::default()).await?;
                engine.at_least(head, &[], std::time::Duration::MAX).await?;
                let verdicts = engine.verify().await;
                engine.shutdown().await;
                anyhow::Ok(verdicts?)
            })?;
        }
        if served && !self.json {
            say!("views  left to the running server: ask it for projectionStatus");
        }
        let mut wrong = Vec::new();
        for verdict in &views {
            let says = if verdict.agrees() { "agrees" } else { "DIFFERS" };
            if !verdict.agrees() {
                wrong.push(verdict.view);
            }
            if !self.json {
                say!("view   {:<20} {says} at {}", verdict.view, verdict.head.position);
                say!("       root {}", verdict.head.root);
            }
        }
        if self.json {
            let views: Vec<_> = views
                .iter()
                .map(|verdict| {
                    json!({
                        "view": verdict.view,
                        "position": verdict.head.position.to_string(),
                        "root": verdict.head.root.to_string(),
                        "agrees": verdict.agrees(),
                    })
                })
                .collect();
            let log = log.map(|log| {
                let digest = log.digest_text();
                json!({ "appends": log.appends, "position": log.head.to_string(), "digest": digest })
            });
            let answer = json!({
                "log": log,
                "views": views,
                "viewsLeftToServer": served,
            });
            say!("{}", serde_json::to_string_pretty(&answer)?);
        }
        if !wrong.is_empty() {
            bail!(
                "these views differ from a fresh fold: {}; stop the server, remove their folders in views/ and start it: they are made anew",
                wrong.join(", ")
            );
        }
        Ok(())
    }
}
