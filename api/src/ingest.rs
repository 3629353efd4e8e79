//! `POST /events`: CloudEvents 1.0.2 over HTTP, structured, binary and in batches, answered item
//! by item.

mod cloud_event;
mod modes;

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cx_model::Position;
use futures::future::BoxFuture;
use serde::Serialize;

pub use cloud_event::{CloudEvent, Malformed};

use crate::body::{self, BodyError};
use crate::errors::{Code, RETRY_SECONDS};

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// It is in the ledger, durably.
    Taken {
        /// Where.
        position: Position,
    },
    /// It was in the ledger before: the same source and id, the same content.
    Repeated {
        /// Where it was put the first time.
        position: Position,
    },
    /// The same source and id came before with other content. Nothing was recorded now.
    Conflict {
        /// What differs, without personal data.
        reason: String,
    },
    /// It is kept aside until somebody mends it.
    Quarantined {
        /// What is wrong, without personal data.
        reason: String,
    },
    /// It is not a CloudEvent, and is not kept.
    Refused {
        /// What is wrong, without personal data.
        reason: String,
    },
}

/// Nothing of a request was taken, or it is not known how much: send it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// More arrives than can be written now.
    #[error("more events arrive than can be taken: send them again later")]
    Busy,
    /// The ledger does not answer, or takes nothing.
    #[error(
        "the ledger takes no events now, and how many of these it took is not known: send them \
         again with the same source and id, and each counts once"
    )]
    Unavailable,
}

/// Where events go. It answers once what it took is durable.
pub trait Intake: Send + Sync + 'static {
    /// Takes events in this order and answers each, in this order. The same source and id again,
    /// also within one call, is [`Outcome::Repeated`], or with other content [`Outcome::Conflict`].
    fn take(&self, items: Vec<CloudEvent>) -> BoxFuture<'_, Result<Vec<Outcome>, IntakeError>>;
}

/// How many items had which outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) taken: u64,
    pub(crate) repeated: u64,
    pub(crate) conflict: u64,
    pub(crate) quarantined: u64,
    pub(crate) refused: u64,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    counts: Counts,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(flatten)]
    outcome: Outcome,
}

/// A response, and what to count of it.
pub(crate) struct Answered {
    pub(crate) response: Response,
    pub(crate) counts: Option<Counts>,
}

impl From<Response> for Answered {
    fn from(response: Response) -> Self {
        Self { response, counts: None }
    }
}

/// The whole of a request to `/events`.
pub(crate) async fn handle(
    request: Request,
    intake: &dyn Intake,
    limit: usize,
    deadline: Duration,
) -> Answered {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        let mut response = refuse_with(StatusCode::METHOD_NOT_ALLOWED, "events come by POST");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response.into();
    }
    let Some(mode) = modes::of(&parts.headers) else {
        return refuse_with(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send application/cloudevents+json, application/cloudevents-batch+json, or ce- headers",
        )
        .into();
    };
    let bytes = match body::read(&parts.headers, body, limit, deadline).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let status = match error {
                BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
                BodyError::Broken => StatusCode::BAD_REQUEST,
            };
            return refuse_with(status, &error.to_string()).into();
        }
    };
    match modes::read(mode, &parts.headers, &bytes) {
        Ok(read) => take(read, intake).await,
        Err(reason) => refuse(Code::BadRequest, &reason.to_string()).into(),
    }
}

async fn take(read: Vec<Result<CloudEvent, Malformed>>, intake: &dyn Intake) -> Answered {
    let events: Vec<CloudEvent> =
        read.iter().filter_map(|item| item.as_ref().ok()).cloned().collect();
    let asked = events.len();
    let outcomes = if events.is_empty() { Ok(Vec::new()) } else { intake.take(events).await };
    let outcomes = match outcomes {
        Ok(outcomes) if outcomes.len() == asked => outcomes,
        Ok(_) => {
            tracing::error!("the intake did not answer every event");
            return refuse(Code::Internal, "an internal fault").into();
        }
        Err(IntakeError::Busy) => return busy().into(),
        Err(error @ IntakeError::Unavailable) => return unavailable(&error).into(),
    };
    let mut counts = Counts::default();
    let mut outcomes = outcomes.into_iter();
    let items: Vec<Item> = read
        .into_iter()
        .map(|item| match item {
            Ok(event) => Item {
                id: Some(event.id),
                source: Some(event.source),
                outcome: outcomes.next().expect("the intake answered every event"),
            },
            Err(malformed) => Item {
                id: None,
                source: None,
                outcome: Outcome::Refused { reason: malformed.to_string() },
            },
        })
        .inspect(|item| match item.outcome {
            Outcome::Taken { .. } => counts.taken += 1,
            Outcome::Repeated { .. } => counts.repeated += 1,
            Outcome::Conflict { .. } => counts.conflict += 1,
            Outcome::Quarantined { .. } => counts.quarantined += 1,
            Outcome::Refused { .. } => counts.refused += 1,
        })
        .collect();
    let all = |count: u64| !items.is_empty() && count == items.len() as u64;
    let status = if all(counts.refused) {
        StatusCode::BAD_REQUEST
    } else if all(counts.conflict) {
        StatusCode::CONFLICT
    } else {
        StatusCode::OK
    };
    Answered { response: json(status, &Answer { counts, items }), counts: Some(counts) }
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'a str,
    message: &'a str,
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let body = serde_json::to_vec(body).expect("counts and strings are always JSON");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn refuse_with(status: StatusCode, message: &str) -> Response {
    json(status, &Fault { code: Code::BadRequest.name(), message })
}

/// Nobody knows how much was taken.
fn unavailable(error: &IntakeError) -> Response {
    let mut response = refuse(Code::Unavailable, &error.to_string());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
    response
}

/// A request none of which was looked at.
pub(crate) fn refuse(code: Code, message: &str) -> Response {
    json(code.status(), &Fault { code: code.name(), message })
}

/// Backpressure: nothing was taken, come again.
pub(crate) fn busy() -> Response {
    let fault = Fault { code: Code::TooCostly.name(), message: &IntakeError::Busy.to_string() };
    let mut response = json(StatusCode::TOO_MANY_REQUESTS, &fault);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
