//! The service of persistent subscriptions.

mod control;
mod describe;
mod read;

pub use control::*;
pub use describe::*;
pub use read::*;
