//! `cxledger status`: what is in a data directory, and how its views are doing.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::open::Opened;

/// Show what is in a data directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger status
  cxledger status --data /var/lib/cxledger --json

How the views of a running server are doing: GraphQL `{ projectionStatus { name state position } }`, `/health/ready` or `/metrics`.")]
pub struct Status {
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Prints it.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_read(&self.data)?;
        let head = opened.runtime.block_on(opened.book.ledger().head())?;
        let keys = opened.book.vault().counts();
        let server = opened.served.as_deref();
        let elsewhere = crate::elsewhere::chosen()?.map(|settings| settings.address().to_owned());
        let size = size_bytes(&opened.places.ledger());
        if self.json {
            let answer = json!({
                "position": head.to_string(),
                "ledger": elsewhere,
                "ledgerBytes": size,
                "customersWithKeys": keys.live,
                "customersErased": keys.destroyed,
                "server": server,
            });
            say!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(());
        }
        match elsewhere {
            Some(address) => say!("ledger    up to position {head} at {address}"),
            None => say!("ledger    {head} events, {:.1} MiB", size as f64 / f64::from(1 << 20)),
        }
        say!("keys      {} customers, {} erased", keys.live, keys.destroyed);
        say!("server    {}", server.unwrap_or("none: start one with `cxledger serve`"));
        Ok(())
    }
}

fn size_bytes(directory: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}
