//! What went wrong with a call, and what that says of its outcome.

use eventstore::{CurrentRevision, Error};

use crate::error::ReadError;

/// Why an attempt did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Trouble {
    /// It was not sent, or it was refused before anything was done.
    #[error("{0}")]
    NotDone(String),
    /// It may have been done.
    #[error("{0}")]
    Unknown(String),
    /// The stream is not as expected; its last revision.
    #[error("wrong expected version")]
    WrongVersion(Option<u64>),
    /// There is no such stream.
    #[error("there is no such stream")]
    Missing,
    /// It will be refused again.
    #[error("{0}")]
    Refused(String),
}

impl Trouble {
    /// Whether trying again can help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NotDone(_) | Self::Unknown(_))
    }
}

/// Whether the client is of no more use.
pub(super) fn is_of_the_connection(error: &Error) -> bool {
    matches!(error, Error::ServerError(_) | Error::ConnectionClosed | Error::GrpcConnectionError(_))
}

/// What an error says. Of a connection that is not made the client tells the status that its library
/// made up, in full; what matters is the message in it.
pub(super) fn said(error: &Error) -> String {
    let text = error.to_string();
    let Error::GrpcConnectionError(_) = error else { return text };
    let message = text.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
    message.map_or(text.clone(), |(message, _)| format!("no connection: {message}"))
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let said = said(&error);
        match error {
            Error::ConnectionClosed
            | Error::GrpcConnectionError(_)
            | Error::NotLeaderException(_) => Self::NotDone(said),
            Error::ServerError(_) | Error::DeadlineExceeded => Self::Unknown(said),
            Error::WrongExpectedVersion { current, .. } => Self::WrongVersion(match current {
                CurrentRevision::Current(revision) => Some(revision),
                CurrentRevision::NoStream => None,
            }),
            Error::ResourceNotFound => Self::Missing,
            Error::AccessDenied => {
                Self::Refused("access denied: check CXLEDGER_LEDGER_USER and its password".into())
            }
            Error::ResourceDeleted => Self::Refused(
                "a stream of the ledger was deleted in the event store; restore it from a backup"
                    .into(),
            ),
            // Cancelled, resource exhausted, aborted.
            Error::Grpc { code, .. } if matches!(code as i32, 1 | 8 | 10) => Self::Unknown(said),
            _ => Self::Refused(said),
        }
    }
}

impl From<Trouble> for ReadError {
    fn from(trouble: Trouble) -> Self {
        if trouble.may_pass() {
            Self::Timeout
        } else {
            Self::Engine { reason: trouble.to_string() }
        }
    }
}
