//! The book the events are written in: an event store behind one port.

pub mod clock;
pub mod decode;
pub mod error;
mod limits;
pub mod memory;
pub mod port;
pub mod vault;

pub use clock::Clock;
pub use decode::decode;
pub use error::{AppendError, ReadError};
pub use memory::MemoryLedger;
pub use port::*;
pub use vault::{KeySource, Opened, Place, Vault, VaultError};
