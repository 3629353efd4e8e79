//! How a server meets the network: the addresses are taken before anything is written.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use cx_api::auth::Tokens;
use cx_api::esdb::listen::Tls;
use cx_api::http::ApiConfig;
use cx_api::serve::{ServeError, bind};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::open::Opened;

/// Where and for whom a server is to listen.
pub struct Meeting {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may ask; none on loopback.
    pub tokens: Option<Tokens>,
    /// Host names and origins.
    pub api: ApiConfig,
    /// The event-store endpoint, if it is wanted.
    pub event_store: Option<EventStoreMeeting>,
}

/// Where the event store listens, and with which certificate.
pub struct EventStoreMeeting {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Without one it speaks in the clear.
    pub tls: Option<Tls>,
}

/// Addresses that are taken: nobody else can have them, and who connects is answered once a node
/// serves.
pub struct Listening {
    /// Who may ask.
    pub tokens: Option<Tokens>,
    /// Host names and origins.
    pub api: ApiConfig,
    /// Of the server.
    pub listener: Held,
    /// Of the event store, if it is wanted.
    pub event_store: Option<(Held, Option<Tls>)>,
}

/// A listener that belongs to no runtime yet.
pub struct Held(std::net::TcpListener);

impl Held {
    /// The listener, on the runtime that this is called on.
    pub fn on_this_runtime(self) -> std::io::Result<TcpListener> {
        TcpListener::from_std(self.0)
    }
}

impl Meeting {
    /// Takes the addresses for a server of a data directory, which is not touched. Fails if
    /// somebody has one of them, and says what to do.
    pub fn listen(self, data: &Path) -> anyhow::Result<Listening> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let Self { listen, tokens, api, event_store } = self;
        let take = |address, option| {
            let bound = runtime.block_on(bind(address, tokens.as_ref()));
            let listener = bound.map_err(|error| explained(error, data, option))?;
            anyhow::Ok(Held(listener.into_std()?))
        };
        let listener = take(listen, "--listen")?;
        let event_store = match event_store {
            None => None,
            Some(store) => Some((take(store.listen, "--esdb")?, store.tls)),
        };
        Ok(Listening { tokens, api, listener, event_store })
    }
}

/// What to do where an address cannot be had.
fn explained(error: ServeError, data: &Path, option: &str) -> anyhow::Error {
    let ServeError::Bind { address, source } = &error else { return error.into() };
    if source.kind() != ErrorKind::AddrInUse {
        return error.into();
    }
    let served = data.exists().then(|| Opened::to_read(data).ok()?.served).flatten();
    if served.as_deref() == Some(&format!("http://{address}")) {
        return anyhow::anyhow!(
            "{} is served at http://{address} already: use that server, or stop it first",
            data.display()
        );
    }
    anyhow::anyhow!(
        "{address} is in use by another program, and nothing was written: stop that one, or listen \
         elsewhere, such as {option} {}:0 (port 0 takes a free one and prints it)",
        address.ip()
    )
}
