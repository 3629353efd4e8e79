//! The service of persistent subscriptions.

mod control;
mod read;

pub use control::*;
pub use read::*;
