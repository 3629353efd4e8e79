//! A server and what its clients send it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use cx_api::auth::Tokens;
use cx_api::esdb::Endpoint;
use cx_api::esdb::listen::{choose_cryptography, listen};
use cx_api::serve::Drain;
use cx_ledger::{EmbeddedLog, Ledger, MemoryLedger, Options};
use eventstore::{AppendToStreamOptions, Client, ClientSettings, Error, EventData, StreamState};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A server over a ledger, until it is stopped or dropped.
pub struct Server {
    pub address: SocketAddr,
    drain: Drain,
    serving: JoinHandle<()>,
}

impl Server {
    /// Over a ledger in memory.
    pub async fn new() -> Self {
        Self::over(Arc::new(MemoryLedger::new())).await
    }

    /// Over the log of a directory.
    pub async fn of_log(directory: &Path, address: Option<SocketAddr>) -> Self {
        let options = Options { segment_bytes: 1 << 20, ..Options::default() };
        let (log, _) = EmbeddedLog::open(directory, options).unwrap();
        let endpoint = |drain| Endpoint::free(Arc::new(log), None, drain);
        Self::at(address, endpoint).await
    }

    pub async fn over(ledger: Arc<dyn Ledger>) -> Self {
        Self::at(None, |drain| Endpoint::free(ledger, None, drain)).await
    }

    pub async fn with_tokens(tokens: Tokens) -> Self {
        let ledger = Arc::new(MemoryLedger::new());
        Self::at(None, |drain| Endpoint::free(ledger, Some(tokens), drain)).await
    }

    pub async fn at(address: Option<SocketAddr>, endpoint: impl FnOnce(Drain) -> Endpoint) -> Self {
        choose_cryptography();
        let address = address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = Drain::default();
        let serving = tokio::spawn(listen(endpoint(drain.clone()), listener, None));
        Self { address, drain, serving }
    }

    pub fn client(&self) -> Client {
        self.client_of("")
    }

    /// A client who says who they are, as `name:password@`.
    pub fn client_of(&self, who: &str) -> Client {
        let settings: ClientSettings =
            format!("esdb://{who}{}?tls=false", self.address).parse().unwrap();
        Client::new(settings).unwrap()
    }

    /// Ends it in order; the log it had is free afterwards.
    pub async fn stop(self) {
        self.drain.begin();
        self.serving.await.unwrap();
    }
}

/// An event whose id follows from its number.
pub fn event(number: u64) -> EventData {
    let id = Uuid::from_u128(u128::from(number) + 1);
    EventData::json("Counted", &serde_json::json!({ "number": number })).unwrap().id(id)
}

pub fn expecting(state: StreamState) -> AppendToStreamOptions {
    AppendToStreamOptions::default().stream_state(state)
}

/// Tokens of `ROLE SECRET NAME` each.
pub fn tokens(of: &[(&str, &str, &str)]) -> Tokens {
    let line = |(role, secret, name): &(&str, &str, &str)| {
        let digest = Sha256::digest(secret.as_bytes());
        let hash = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        format!("{role} {hash} {name}\n")
    };
    Tokens::parse(&of.iter().map(line).collect::<String>()).unwrap()
}

/// The request was understood and made no sense.
pub fn is_invalid(error: &Error) -> bool {
    matches!(error, Error::Grpc { code: tonic::Code::InvalidArgument, .. })
}

pub fn any() -> AppendToStreamOptions {
    AppendToStreamOptions::default()
}
