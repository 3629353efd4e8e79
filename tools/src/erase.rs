//! `cxledger erase`: destroys a customer's key.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use cx_model::{Actor, CustomerId};
use serde_json::json;

use crate::open::Opened;
use crate::say::counted;

/// Erase a customer: their key is destroyed, and every personal value reads ERASED from then on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger erase customer-6f1c0a52-6a8e-4f1c-9d54-0d8c2f9a7e11 --reason request --yes

With a running server use the mutation `eraseCustomer`. Keys in backups of keys/ must be erased
there too.")]
pub struct Erase {
    /// The customer's id.
    customer: CustomerId,
    /// Why, such as `request` or `retention`.
    #[arg(long, default_value = "request")]
    reason: String,
    /// It cannot be undone: say that you mean it.
    #[arg(long)]
    yes: bool,
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Erase {
    /// Erases.
    pub fn run(&self) -> anyhow::Result<()> {
        if !self.yes {
            bail!("an erasure cannot be undone: add --yes to erase {}", self.customer);
        }
        let opened = Opened::existing_to_write(&self.data)?;
        let actor = Actor::System { name: "cxledger erase".into() };
        let erased = opened.book.erase(self.customer, &self.reason, actor);
        let erasure = opened.runtime.block_on(erased)?;
        let rows = opened.drop_rows_of_the_erased()?;
        if self.json {
            let answer = json!({
                "customer": self.customer.to_string(),
                "position": erasure.position.to_string(),
                "repeated": erasure.repeated,
                "quarantinedRowsDropped": rows,
            });
            say!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(());
        }
        say!("{} is erased as of position {}", self.customer, erasure.position);
        if rows > 0 {
            say!("{} of erased customers dropped from the quarantine", counted(rows, "row"));
        }
        say!("now erase them in the backups of {} too", opened.places.keys().display());
        Ok(())
    }
}
