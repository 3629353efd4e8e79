//! The service of streams.

mod append;
mod filter;
mod read;

pub use append::*;
pub use filter::*;
pub use read::*;
