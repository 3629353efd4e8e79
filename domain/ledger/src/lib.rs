//! The book the events are written in: an event store behind one port.

pub mod decode;
pub mod error;
pub mod port;
pub mod vault;

pub use decode::decode;
pub use error::{AppendError, ReadError};
pub use port::*;
pub use vault::{KeySource, Opened, Place, Vault, VaultError};
