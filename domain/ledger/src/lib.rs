//! The book the events are written in: an event store behind one port, and the vault that seals
//! personal values before they reach it.

pub mod book;
pub mod clock;
pub mod conformance;
pub mod decode;
pub mod embedded;
pub mod error;
pub mod foreign;
pub mod kurrent;
mod limits;
pub mod memory;
pub mod port;
pub mod seeded;
pub mod storage;
pub mod torture;
pub mod trace;
pub mod vault;

pub use book::{Act, Book, BookError, Claim, DecideError, Decided, Entry, Erasure, Wanted};
pub use clock::Clock;
pub use decode::decode;
pub use embedded::{EmbeddedLog, OpenReport, Options};
pub use error::{AppendError, OpenError, ReadError};
pub use foreign::Foreign;
pub use kurrent::{KurrentLedger, KurrentSettings};
pub use memory::MemoryLedger;
pub use port::*;
pub use vault::{KeySource, Opened, Place, Vault, VaultError};
