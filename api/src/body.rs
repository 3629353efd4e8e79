//! Reading a request's body, and stopping where it grows too long or too slow.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};

/// A body that was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is too long: at most {limit} bytes are read")]
    TooLarge { limit: usize },
    #[error("the body took too long to arrive")]
    TooSlow,
    #[error("the body ended too early")]
    Broken,
}

/// At most `limit` bytes within `deadline`; not a byte is read beyond the limit.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    deadline: Duration,
) -> Result<Bytes, BodyError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| n > limit as u64) {
        return Err(BodyError::TooLarge { limit });
    }
    match tokio::time::timeout(deadline, axum::body::to_bytes(body, limit)).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let source = std::error::Error::source(&error);
            let long =
                source.is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>);
            Err(if long { BodyError::TooLarge { limit } } else { BodyError::Broken })
        }
    }
}
