//! What can go wrong for a client of the event store, and how it is told: a status, and trailers
//! that its client reads.

use cx_ledger::{AppendError, EVENT_LIMIT, Expected, ReadError};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// A call that is refused.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The caller may not do this, or nobody may.
    #[error("access denied: {0}")]
    Denied(String),
    /// The caller is not who they say.
    #[error("the user name or password is not known here")]
    Unauthenticated,
    /// The stream was deleted for ever.
    #[error("stream {stream} is deleted")]
    Deleted {
        /// Which.
        stream: String,
    },
    /// A stream that should be deleted is not as expected.
    ///
    /// Clients read this text: its first word and its three fields are part of the protocol.
    #[error(
        "refused: WrongExpectedVersion. Stream: {stream}, Expected version: {expected}, Actual version: {actual}"
    )]
    WrongVersion {
        /// Which.
        stream: String,
        /// The expected revision, or a negative number that stands for what was expected.
        expected: i64,
        /// The revision, -1 if there is none.
        actual: i64,
    },
    /// An event or an append is over the limit.
    #[error("{reason}")]
    TooLarge {
        /// What is too large, and what to do.
        reason: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// An event lacks a property.
    #[error("an event lacks the property {0} in its metadata")]
    Missing(&'static str),
    /// The request makes no sense.
    #[error("{0}")]
    Bad(String),
    /// Not now.
    #[error("{0}")]
    Unavailable(String),
    /// The outcome is not known yet.
    #[error("{0}")]
    Late(String),
    /// The ledger failed.
    #[error("{0}")]
    Failed(String),
    /// A persistent subscription is not as expected.
    #[error("{why}: persistent subscription {group} to {stream}")]
    Group {
        /// The stream, `$all` for all.
        stream: String,
        /// The group's name.
        group: String,
        /// What is wrong.
        why: GroupFault,
    },
}

/// What is wrong with a persistent subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupFault {
    /// There is one.
    #[error("exists already")]
    Exists,
    /// There is none.
    #[error("does not exist")]
    Missing,
    /// No more subscribers are taken.
    #[error("Maximum subscriptions reached")]
    Full,
    /// It ended.
    #[error("was dropped")]
    Dropped,
}

impl GroupFault {
    fn told(self) -> (Code, &'static str) {
        match self {
            Self::Exists => (Code::AlreadyExists, "persistent-subscription-exists"),
            Self::Missing => (Code::NotFound, "persistent-subscription-does-not-exist"),
            Self::Full => (Code::FailedPrecondition, "maximum-subscribers-reached"),
            Self::Dropped => (Code::Cancelled, "persistent-subscription-dropped"),
        }
    }
}

impl Fault {
    /// The code of the status.
    pub fn code(&self) -> Code {
        match self {
            Self::Denied(_) => Code::PermissionDenied,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Deleted { .. } | Self::WrongVersion { .. } => Code::FailedPrecondition,
            Self::TooLarge { .. } | Self::Missing(_) | Self::Bad(_) => Code::InvalidArgument,
            Self::Unavailable(_) => Code::Unavailable,
            Self::Late(_) => Code::DeadlineExceeded,
            Self::Failed(_) => Code::Internal,
            Self::Group { why, .. } => why.told().0,
        }
    }

    fn trailers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Denied(_) | Self::Unauthenticated => {
                vec![("exception", "access-denied".into())]
            }
            Self::Deleted { stream } => {
                vec![("exception", "stream-deleted".into()), ("stream-name", stream.clone())]
            }
            Self::WrongVersion { stream, expected, actual } => vec![
                ("exception", "wrong-expected-version".into()),
                ("stream-name", stream.clone()),
                ("expected-version", expected.to_string()),
                ("actual-version", actual.to_string()),
            ],
            Self::TooLarge { limit, .. } => vec![
                ("exception", "maximum-append-size-exceeded".into()),
                ("maximum-append-size", limit.to_string()),
            ],
            Self::Missing(property) => vec![
                ("exception", "missing-required-metadata-property".into()),
                ("required-metadata-properties", (*property).into()),
            ],
            Self::Group { stream, group, why } => vec![
                ("exception", why.told().1.into()),
                ("stream-name", stream.clone()),
                ("group-name", group.clone()),
            ],
            _ => Vec::new(),
        }
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let mut trailers = MetadataMap::new();
        for (key, value) in fault.trailers() {
            // A stream may have a name that no header can hold; its client knows it anyway.
            if let Ok(value) = MetadataValue::try_from(value) {
                trailers.insert(key, value);
            }
        }
        Self::with_metadata(fault.code(), fault.to_string(), trailers)
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Timeout => Self::Late(error.to_string()),
            error => {
                tracing::error!(%error, "the event store could not be read");
                Self::Failed("the ledger could not be read; its log says more".into())
            }
        }
    }
}

impl From<AppendError> for Fault {
    fn from(error: AppendError) -> Self {
        let reason = error.to_string();
        match error {
            AppendError::IdReused { .. } => Self::Bad(reason),
            AppendError::EventTooLarge { limit_bytes, .. }
            | AppendError::AppendTooLarge { limit_bytes, .. } => {
                Self::TooLarge { reason, limit: limit_bytes }
            }
            AppendError::NoSpace { .. } => {
                Self::Unavailable("no space left for the ledger; append again later".into())
            }
            AppendError::Conflict { .. } | AppendError::Poisoned { .. } => {
                Self::Unavailable(reason)
            }
            AppendError::Timeout => Self::Late(reason),
            _ => Self::Failed("the ledger could not append; its log says more".into()),
        }
    }
}

/// An append that holds more than can be taken.
pub(super) fn append_too_large() -> Fault {
    Fault::TooLarge {
        reason: "the append is over the limit; split it".into(),
        limit: cx_ledger::APPEND_LIMIT,
    }
}

/// What went wrong with a message: one that is over the limit holds too much.
pub(super) fn unread(status: Status, limit: usize) -> Status {
    if status.code() != Code::OutOfRange {
        return status;
    }
    let reason = format!("a message is over the limit of {limit} bytes; send less in it");
    Fault::TooLarge { reason, limit }.into()
}

/// An expectation as the number that old clients know it by.
pub(super) fn expected_number(expected: Expected) -> i64 {
    match expected {
        Expected::Any => -2,
        Expected::NoStream => -1,
        Expected::StreamExists => -4,
        Expected::Revision(revision) => i64::try_from(revision).unwrap_or(i64::MAX),
    }
}

/// The largest message that is taken or sent: an event and what surrounds it.
pub(super) const MESSAGE_LIMIT: usize = EVENT_LIMIT + (1 << 20);
