//! The one table of error codes, and how a resolver raises them.

use std::sync::Arc;

use async_graphql::{Error, ErrorExtensionValues, Pos, ServerError, Value};
use axum::http::StatusCode;

/// Every `extensions.code` that an answer of this API can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The request is not what the protocol asks for: mend it before sending it again.
    BadRequest,
    /// The document or its variables do not fit the schema.
    ValidationFailed,
    /// No token, or one that nobody was given.
    Unauthenticated,
    /// The token's role may not do this.
    Forbidden,
    /// What was asked for does not exist.
    NotFound,
    /// The request contradicts what is already in the ledger.
    Conflict,
    /// The views did not reach the required position in time: ask again, or for less.
    Stale,
    /// The view is being rebuilt and has no answer yet.
    Rebuilding,
    /// The lane that holds the answer has stopped at an event it cannot fold.
    Stalled,
    /// The ledger does not answer, or takes nothing, for now. What was to be recorded may have been
    /// or may still be: repeat it with the same key.
    Unavailable,
    /// The request would cost more than one request may.
    TooCostly,
    /// The request took longer than its deadline.
    Timeout,
    /// A fault of ours; the log has the rest under the request's id.
    Internal,
}

impl Code {
    /// All codes, in the order of the table.
    pub const ALL: [Self; 13] = [
        Self::BadRequest,
        Self::ValidationFailed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Stale,
        Self::Rebuilding,
        Self::Stalled,
        Self::Unavailable,
        Self::TooCostly,
        Self::Timeout,
        Self::Internal,
    ];

    /// The code as clients see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::ValidationFailed => "VALIDATION_FAILED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::Stale => "STALE",
            Self::Rebuilding => "REBUILDING",
            Self::Stalled => "STALLED",
            Self::Unavailable => "UNAVAILABLE",
            Self::TooCostly => "TOO_COSTLY",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
        }
    }

    /// The code with this name, if the table has one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The HTTP status of a request that failed as a whole with this code.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::ValidationFailed | Self::TooCostly => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Stale | Self::Rebuilding | Self::Stalled | Self::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// An error with this code for a resolver to return. The message is shown to the client: it
    /// holds no personal data and says what the reader can do.
    pub fn error(self, message: impl Into<String>) -> Error {
        let mut error = Error::new(message);
        error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", self.name());
        error
    }

    /// The same with further extensions, such as `required` and `current` of a `STALE` answer.
    pub fn error_with<const N: usize>(
        self,
        message: impl Into<String>,
        extensions: [(&str, Value); N],
    ) -> Error {
        let mut error = self.error(message);
        let values = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        for (name, value) in extensions {
            values.set(name, value);
        }
        error
    }

    /// A request error with this code: it stands for the whole request and has no path.
    pub fn server_error(self, message: impl Into<String>, at: Option<Pos>) -> ServerError {
        let mut error = ServerError::new(message, at);
        error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", self.name());
        error
    }
}

/// What an `UNAVAILABLE` answer says.
pub const UNAVAILABLE: &str = "the ledger does not answer now: ask again in some seconds; whether \
    a mutation was recorded is not known: repeat it with the same idempotencyKey, and it counts once";

/// After how many seconds such a request may be worth another try.
pub(crate) const RETRY_SECONDS: &str = "5";

/// A ledger that does not answer, as a resolver's error: the cause is for the log.
pub fn unavailable(cause: &dyn std::fmt::Display) -> Error {
    tracing::warn!(%cause, "the ledger does not answer");
    Code::Unavailable.error(UNAVAILABLE)
}

/// An internal fault as a resolver's error: the cause is logged under the request's id, the client
/// sees only that id.
pub fn internal<E: std::fmt::Display + Send + Sync + 'static>(cause: E) -> Error {
    let mut error = Code::Internal.error(cause.to_string());
    error.source = Some(Arc::new(cause));
    error
}

/// The code an error carries, if it carries one of the table's.
pub fn code_of(error: &ServerError) -> Option<Code> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(name) => Code::from_name(name),
        _ => None,
    }
}
