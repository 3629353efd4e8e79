//! The service of streams.

mod append;
mod read;

pub use append::*;
pub use read::*;
