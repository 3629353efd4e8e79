//! What can go wrong, one enum per operation.

use std::path::PathBuf;

use cx_model::StreamName;

use crate::port::Expected;

/// An append was not made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The stream is not as expected. Read it again, decide again, append again.
    #[error("stream {stream} was expected to be {expected:?} but its last revision is {actual:?}")]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// What the append expected.
        expected: Expected,
        /// The revision of its last event, `None` if it has none.
        actual: Option<u64>,
    },
    /// Some of the ids were appended before and others were not, or in another stream or order.
    #[error(
        "stream {stream}: some of these event ids were appended before, others were not; use new ids for new events"
    )]
    IdReused {
        /// The stream.
        stream: StreamName,
    },
    /// One event is over the limit.
    #[error(
        "an event of {size_bytes} bytes is over the limit of {limit_bytes}; keep large contents elsewhere and record where"
    )]
    EventTooLarge {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// The append is over the limit.
    #[error("an append of {size_bytes} bytes is over the limit of {limit_bytes}; split it")]
    AppendTooLarge {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// There is no room on the disk. Nothing was written; appends work again when there is room.
    #[error("no space left for the ledger in {path}; free some, then append again")]
    NoSpace {
        /// The directory.
        path: PathBuf,
    },
    /// A write to the disk failed before: this process writes no more. Reads go on.
    #[error(
        "the ledger stopped writing after a failed write ({reason}); check the disk, then restart"
    )]
    Poisoned {
        /// What failed.
        reason: String,
    },
    /// The outcome is not known. Append again with the same ids.
    #[error(
        "the append was not confirmed within its deadline; append again with the same event ids"
    )]
    Timeout,
    /// The engine failed.
    #[error("the ledger could not append: {reason}")]
    Engine {
        /// How.
        reason: String,
    },
}

/// A read failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file holds other bytes than were written.
    #[error("{path} is damaged at byte {offset}: {reason}; see `cxledger repair --help`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// No answer in time.
    #[error("the ledger did not answer within its deadline; ask again")]
    Timeout,
    /// History is missing before this position: scavenged or truncated.
    #[error("history before position {position} is gone; restore it from a backup")]
    Truncated {
        /// The first position that could be read.
        position: cx_model::Position,
    },
    /// The engine failed.
    #[error("the ledger could not read: {reason}")]
    Engine {
        /// How.
        reason: String,
    },
}

/// The log was not opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Bytes that were durable are not what they were. Nothing is cut silently.
    #[error(
        "{path} is damaged at byte {offset}: {reason}; nothing was changed: restore a backup, or see `cxledger repair --help`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// Another process writes this log.
    #[error("{path} is in use by another process; stop it, or ask it")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// There is no log.
    #[error("there is no ledger in {path}")]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// There is something already.
    #[error("{path} is not empty; name a new directory")]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{path} could not be opened: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
