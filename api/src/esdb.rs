//! The event-store endpoint: the ledger over the gRPC protocol of KurrentDB and EventStoreDB, for
//! their official clients.
//!
//! [`Endpoint`] is the protocol over a ledger; [`listen::listen`] serves it on a socket, in the
//! clear or over TLS. The ledger's own streams stand under a [`guard::Guard`].

mod access;
mod append;
mod batch;
mod call;
mod dispatch;
mod event;
pub mod fault;
mod filter;
pub mod guard;
mod links;
pub mod listen;
mod node;
mod persistent;
mod portion;
mod prompt;
mod read;
mod room;
mod state;
mod store;
mod streams;
mod subscribe;
mod taking;
mod tls;
mod whole;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use cx_ledger::{Book, Ledger};
use uuid::Uuid;

use crate::auth::Tokens;
use crate::serve::{Answering, Drain};
use guard::Guard;
use persistent::Groups;
use room::Room;
use store::Store;
use taking::Pages;

/// The protocol over a ledger. Clones share everything.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<Store>,
    tokens: Option<Tokens>,
    drain: Drain,
    instance: Uuid,
    room: Room,
    pages: Pages,
    groups: Arc<Groups>,
}

impl Endpoint {
    /// An event store whose streams are all free: the ledger has no streams of its own.
    pub fn free(ledger: Arc<dyn Ledger>, tokens: Option<Tokens>, drain: Drain) -> Self {
        Self::of(Store::new(ledger, None), tokens, drain)
    }

    /// The event store of a book: the ledger's own streams take only what the model accepts and
    /// lose nothing, all others are free.
    pub fn guarded(book: &Book, tokens: Option<Tokens>, drain: Drain) -> Self {
        let guard = Guard::new(book.clone());
        Self::of(Store::new(Arc::clone(book.ledger()), Some(guard)), tokens, drain)
    }

    fn of(store: Store, tokens: Option<Tokens>, drain: Drain) -> Self {
        let store = Arc::new(store);
        let groups = Arc::new(Groups::new(Arc::clone(&store), drain.clone()));
        let instance = Uuid::new_v4();
        let (room, pages) = (Room::default(), Pages::default());
        Self { shared: Arc::new(Shared { store, tokens, drain, instance, room, pages, groups }) }
    }

    /// Everything that is answered on the socket with this address.
    pub fn service(&self, address: SocketAddr) -> impl Answering {
        let endpoint = self.clone();
        tower::service_fn(move |request| {
            let endpoint = endpoint.clone();
            async move { Ok(dispatch::answer(endpoint, address, request).await) }
        })
    }
}
