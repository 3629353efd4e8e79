//! `cxledger status`: what is in a data directory, and how its views are doing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::census::{Census, grouped, mebibytes, size_bytes};
use crate::open::{Opened, Places};
use crate::quarantine::store::Quarantine;
use crate::say::data_option;

/// Show what is in a data directory: how many events, streams, customers and quarantined rows, and
/// how much room they take.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger status
  cxledger status --data /var/lib/cxledger
  cxledger status --json | jq .events

How the views of a running server are doing: GraphQL `{ projectionStatus { name state position } }`,
`/health/ready` or `/metrics`.")]
pub struct Status {
    /// The data directory.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// The bytes that each part of a data directory takes.
struct Disk {
    ledger: u64,
    keys: u64,
    views: u64,
    past: u64,
    quarantine: u64,
}

impl Disk {
    fn of(places: &Places) -> Self {
        Self {
            ledger: size_bytes(&places.ledger()),
            keys: size_bytes(&places.keys()),
            views: size_bytes(&places.views()),
            past: size_bytes(&places.past()),
            quarantine: size_bytes(&places.quarantine()),
        }
    }

    fn all(&self) -> u64 {
        self.ledger + self.keys + self.views + self.past + self.quarantine
    }
}

impl Status {
    /// Prints it.
    pub fn run(&self) -> anyhow::Result<()> {
        let opened = Opened::to_read(&self.data)?;
        let census = opened.runtime.block_on(Census::of(&opened))?;
        let elsewhere = crate::elsewhere::chosen()?.map(|settings| settings.address().to_owned());
        let vault = Arc::clone(opened.book.vault());
        let quarantined = Quarantine::look(&self.data, vault, Timestamp::now())?.len() as u64;
        let disk = Disk::of(&opened.places);
        if self.json {
            self.print_json(&opened, &census, elsewhere.as_deref(), quarantined, &disk)
        } else {
            self.print(&opened, &census, elsewhere.as_deref(), quarantined, &disk);
            Ok(())
        }
    }

    fn print_json(
        &self,
        opened: &Opened,
        census: &Census,
        elsewhere: Option<&str>,
        quarantined: u64,
        disk: &Disk,
    ) -> anyhow::Result<()> {
        let keys = opened.book.vault().counts();
        let answer = json!({
            "data": self.data,
            "position": census.head.to_string(),
            "recordedAt": census.recorded_at,
            "events": census.events,
            "streams": census.streams,
            "customers": census.customers,
            "customersWithKeys": keys.live,
            "customersErased": keys.destroyed,
            "quarantinedRows": quarantined,
            "bytesOnDisk": disk.all(),
            "ledgerBytes": disk.ledger,
            "keysBytes": disk.keys,
            "viewsBytes": disk.views,
            "pastBytes": disk.past,
            "quarantineBytes": disk.quarantine,
            "ledger": elsewhere,
            "server": opened.served,
        });
        say!("{}", serde_json::to_string_pretty(&answer)?);
        Ok(())
    }

    fn print(
        &self,
        opened: &Opened,
        census: &Census,
        elsewhere: Option<&str>,
        quarantined: u64,
        disk: &Disk,
    ) {
        let data = self.data.display();
        let keys = opened.book.vault().counts();
        let streams = census.streams.map_or("not counted".to_owned(), grouped);
        let recorded = census.recorded_at.map_or(String::new(), |recorded_at| {
            format!(", recorded at {}", recorded_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        });
        let none = format!("none: start one with `cxledger serve{}`", data_option(&self.data));
        say!("directory    {data}");
        if let Some(address) = elsewhere {
            say!("ledger       at {address}");
        }
        say!("position     {}{recorded}", census.head);
        say!("server       {}\n", opened.served.as_deref().unwrap_or(&none));
        for (name, count, more) in [
            ("events", grouped(census.events), String::new()),
            ("streams", streams, String::new()),
            ("customers", grouped(census.customers), String::new()),
            ("keys", grouped(keys.live), format!("{} erased", grouped(keys.destroyed))),
            ("quarantined", grouped(quarantined), rows_hint(quarantined, &self.data)),
        ] {
            say!("{}", format!("{name:<12} {count:>13}  {more}").trim_end());
        }
        say!("");
        for (name, bytes) in [
            ("on disk", disk.all()),
            ("  ledger", disk.ledger),
            ("  views", disk.views),
            ("  past", disk.past),
            ("  keys", disk.keys),
            ("  quarantine", disk.quarantine),
        ] {
            say!("{name:<12} {:>13}", mebibytes(bytes));
        }
    }
}

fn rows_hint(quarantined: u64, data: &Path) -> String {
    match quarantined {
        0 => String::new(),
        _ => format!("rows: see `cxledger quarantine list{}`", data_option(data)),
    }
}
