//! Every view of the ledger, and the engine that keeps them.
//!
//! A view is one file in `views/`: its row type, its fold ([`Projection`]), an example test; and one
//! line in the list ([`views!`]). The same events give the same rows and the same [`Root`], in any
//! batching, delivered twice, folded by one worker or several.

pub mod engine;
mod fold;
mod folder;
#[cfg(test)]
mod given;
pub mod key;
mod key_part;
mod key_text;
mod list;
#[cfg(test)]
mod new_view;
mod projection;
mod root;
mod rows;
mod shape;
pub mod shown;
mod store;
mod stored;
pub mod views;

pub use engine::{
    Engine, ExplainError, OpenError, Options, Pasts, ReadError, Reader, Registered, Row, Scan,
    Snapshot, Stale, State, Verdict, ViewStatus, Warmed, fold_roots, registered, warm,
};
pub use fold::{Fold, fold_history};
pub use folder::{Head, Stall};
pub use key::{Desc, Key, KeyError, StartsWith};
pub use key_part::{KeyPart, NOBODY, parts};
pub use key_text::{AskError, Reason, Reasons, reasons};
pub use projection::{
    Figure, Private, Projection, Provenance, View, customer_lane, lane_of_customer,
};
pub use root::Root;
pub use rows::{Packed, PrivateKey, PrivateRow, Rows};
pub use store::StoreError;

/// Every view of the project, ready to be run.
pub fn all_views() -> Vec<Registered> {
    #[allow(clippy::wildcard_imports)] // all of them, whatever they are
    use views::*;
    macro_rules! register {
        ($($(#[$doc:meta])* $name:ident($($argument:ident: $part:ty),*) -> $kind:ident<$view:ident>,)*) => {
            vec![$(registered::<$view>()),*]
        };
    }
    views!(register)
}
