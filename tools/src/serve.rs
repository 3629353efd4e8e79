//! `cxledger serve`: the API over a data directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use cx_api::auth::Tokens;
use cx_api::documents::{Trust, Trusted};
use cx_api::esdb::listen::{Tls, choose_cryptography};
use cx_api::http::ApiConfig;

use crate::meeting::{EventStoreMeeting, Meeting};
use crate::node::{Node, asked_to_end};
use crate::open::Opened;

/// Serve GraphQL, subscriptions and ingest over a data directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cxledger serve
  cxledger serve --data /var/lib/cxledger --listen 127.0.0.1:9000
  cxledger serve --listen 0.0.0.0:8080 --tokens tokens.txt --host ledger.example.org
  cxledger serve --esdb 127.0.0.1:2113")]
pub struct Serve {
    /// The data directory; made if it is not there.
    #[arg(long, env = "CXLEDGER_DATA", default_value = "./cxledger-data", value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    network: Network,
    #[command(flatten)]
    event_store: EventStore,
}

/// The event-store endpoint, for clients of KurrentDB and EventStoreDB.
#[derive(Debug, Args)]
pub struct EventStore {
    /// Serve the ledger to clients of KurrentDB and EventStoreDB at this address, such as 127.0.0.1:2113. Beyond loopback --tokens is asked for: a user's name is a token's name, the password the token.
    #[arg(long, env = "CXLEDGER_ESDB")]
    esdb: Option<SocketAddr>,
    /// The certificates of the event store, PEM; without them it speaks in the clear.
    #[arg(long, env = "CXLEDGER_ESDB_CERT")]
    esdb_cert: Option<PathBuf>,
    /// The key of the first certificate, PEM.
    #[arg(long, env = "CXLEDGER_ESDB_KEY")]
    esdb_key: Option<PathBuf>,
}

impl EventStore {
    /// Where it listens, if it is wanted.
    pub fn meeting(&self) -> anyhow::Result<Option<EventStoreMeeting>> {
        let tls = match (&self.esdb_cert, &self.esdb_key) {
            (Some(certificates), Some(key)) => Some((certificates, key)),
            (None, None) => None,
            _ => bail!("--esdb-cert and --esdb-key go together: name both, or neither"),
        };
        let Some(listen) = self.esdb else {
            if tls.is_some() {
                bail!("--esdb-cert and --esdb-key are for the event store: add --esdb ADDRESS");
            }
            return Ok(None);
        };
        let tls = tls.map(|(certificates, key)| Tls::read(certificates, key)).transpose()?;
        Ok(Some(EventStoreMeeting { listen, tls }))
    }
}

/// Where and for whom to listen.
#[derive(Debug, Args)]
pub struct Network {
    /// The address to listen on; port 0 takes a free one and prints it. Beyond loopback --tokens is asked for.
    #[arg(long, env = "CXLEDGER_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// A file of bearer tokens: lines of `role sha256-of-token name`.
    #[arg(long, env = "CXLEDGER_TOKENS")]
    pub tokens: Option<PathBuf>,
    /// A name the server may be asked under, beside the loopback ones.
    #[arg(long = "host", env = "CXLEDGER_HOSTS", value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// A manifest of trusted documents: a JSON object of ids and documents (relay-compiler), or Apollo's persisted query manifest. Requests name one by `documentId`.
    #[arg(long, env = "CXLEDGER_DOCUMENTS")]
    pub documents: Option<PathBuf>,
    /// Run no document but those of the manifest.
    #[arg(long)]
    pub documents_only: bool,
    /// The origin of a page that may call across sites, such as `https://desk.example.org`.
    #[arg(long = "origin", env = "CXLEDGER_ORIGINS", value_delimiter = ',')]
    pub origins: Vec<String>,
}

impl Network {
    /// As a node takes it.
    pub fn meeting(&self) -> anyhow::Result<Meeting> {
        let tokens = self.tokens.as_deref().map(Tokens::read).transpose()?;
        let mut api = ApiConfig::default();
        api.hosts.clone_from(&self.hosts);
        api.origins.clone_from(&self.origins);
        if self.documents_only && self.documents.is_none() {
            bail!("--documents-only says that no others are served: add --documents MANIFEST");
        }
        if let Some(manifest) = &self.documents {
            let trust = if self.documents_only { Trust::Require } else { Trust::Prefer };
            api.trusted = Trusted::read(manifest, trust)?;
        }
        Ok(Meeting { listen: self.listen, tokens, api, event_store: None })
    }
}

impl Serve {
    /// Serves until Ctrl-C or a termination signal.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut meeting = self.network.meeting()?;
        meeting.event_store = self.event_store.meeting()?;
        choose_cryptography();
        let listening = meeting.listen(&self.data)?;
        let opened = Opened::to_write(&self.data)?;
        opened.runtime.block_on(async {
            let node = Node::start(&opened, listening).await?;
            say!("cxledger serves {} at http://{}", self.data.display(), node.address());
            if let Some(settings) = crate::elsewhere::chosen()? {
                say!("its ledger is at {}", settings.address());
            }
            if let Some(event_store) = node.event_store() {
                say!("event store at {event_store}");
            }
            let engine = Arc::clone(&node.system().engine);
            let head = opened.book.ledger().head().await?;
            let catching_up = tokio::spawn(async move {
                if engine.at_least(head, &[], Duration::MAX).await.is_ok() {
                    crate::say::aside(format_args!("Every view has reached position {head}."));
                }
            });
            let served = node.serve(asked_to_end()).await;
            catching_up.abort();
            served
        })
    }
}
