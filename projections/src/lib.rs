//! Every view of the ledger, and the engine that keeps them.
//!
//! A view is one file in `views/`: its row type, its fold ([`Projection`]), an example test; and one
//! line in the list ([`views!`]). The same events give the same rows and the same [`Root`], in any
//! batching, delivered twice, folded by one worker or several.

mod canonical;
mod fold;
mod folder;
#[cfg(test)]
mod given;
pub mod key;
mod list;
mod projection;
mod root;
mod rows;
mod store;
mod stored;
pub mod views;

pub use fold::{Fold, fold_history};
pub use folder::{Head, Stall};
pub use key::{Desc, Key, KeyError, StartsWith};
pub use projection::{
    Figure, Private, Projection, Provenance, View, customer_lane, lane_of_customer,
};
pub use root::Root;
pub use rows::{PrivateKey, PrivateRow, Rows};
pub use store::StoreError;
