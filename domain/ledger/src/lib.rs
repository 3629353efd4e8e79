//! The book the events are written in: an event store behind one port.

pub mod clock;
pub mod conformance;
pub mod decode;
pub mod embedded;
pub mod error;
mod limits;
pub mod memory;
pub mod port;
pub mod seeded;
pub mod storage;
pub mod torture;

pub use clock::Clock;
pub use decode::decode;
pub use embedded::{EmbeddedLog, OpenReport, Options};
pub use error::{AppendError, OpenError, ReadError};
pub use memory::MemoryLedger;
pub use port::*;
