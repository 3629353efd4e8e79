//! Media types and statuses: which representation a client accepts, and with which status an
//! answer goes out. One function each.

use async_graphql::{Response as Answer, ServerError, Value};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::errors::{Code, code_of};
use crate::executor::{RequestId, is_request_error};

/// Which reading of GraphQL over HTTP the statuses follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatusRules {
    /// The one that today's audits and clients ask for.
    #[default]
    Today,
    /// The newer draft: 422 for a document that does not fit the schema, 294 for an answer with
    /// both data and errors.
    NewerDraft,
}

/// How a GraphQL answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    GraphqlResponse,
}

impl Media {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// What a client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The representation of a single answer it likes best.
    pub(super) single: Option<Media>,
    /// Whether it names `text/event-stream`.
    pub(super) events: bool,
}

/// Reads the `accept` headers. None at all means plain JSON.
pub(super) fn accepted(headers: &HeaderMap) -> Accepted {
    let mut best: Option<(f32, Media)> = None;
    let (mut any, mut events) = (false, false);
    for value in headers.get_all(header::ACCEPT) {
        for part in value.to_str().unwrap_or_default().split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let kind = pieces.next().unwrap_or_default().to_ascii_lowercase();
            if kind.is_empty() {
                continue;
            }
            any = true;
            let weight = pieces
                .filter_map(|piece| piece.strip_prefix("q="))
                .find_map(|weight| weight.parse::<f32>().ok())
                .unwrap_or(1.0);
            if weight <= 0.0 {
                continue;
            }
            let media = match kind.as_str() {
                "application/graphql-response+json" => Media::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Media::Json,
                "text/event-stream" => {
                    events = true;
                    continue;
                }
                _ => continue,
            };
            if best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, media));
            }
        }
    }
    let single = best.map(|(_, media)| media).or((!any).then_some(Media::Json));
    Accepted { single, events }
}

/// The status of an answer. `well_formed` says that the request was a GraphQL request at all.
pub(super) fn status(
    answer: &Answer,
    media: Media,
    well_formed: bool,
    rules: StatusRules,
) -> StatusCode {
    let newer = rules == StatusRules::NewerDraft && media == Media::GraphqlResponse;
    if !is_request_error(answer) {
        return if newer && !answer.errors.is_empty() {
            StatusCode::from_u16(294).expect("294 is a status")
        } else {
            StatusCode::OK
        };
    }
    let code = answer.errors.first().and_then(code_of).unwrap_or(Code::Internal);
    match (code, media) {
        // Plain JSON leaves the status to the protocol: what GraphQL says of a document is in the
        // body.
        (Code::BadRequest | Code::ValidationFailed, Media::Json) if well_formed => StatusCode::OK,
        (Code::ValidationFailed, _) if newer => StatusCode::UNPROCESSABLE_ENTITY,
        _ => code.status(),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[ServerError]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    extensions: &'a std::collections::BTreeMap<String, Value>,
}

/// An answer as JSON text; one that failed as a whole has no `data`.
pub(super) fn write(answer: &Answer) -> Vec<u8> {
    let data = (!is_request_error(answer)).then_some(&answer.data);
    let body = Body { data, errors: &answer.errors, extensions: &answer.extensions };
    serde_json::to_vec(&body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        br#"{"errors":[{"message":"an internal fault","extensions":{"code":"INTERNAL"}}]}"#.to_vec()
    })
}

/// The position an answer is true at, as text.
pub(super) fn position_of(answer: &Answer) -> Option<&str> {
    match answer.extensions.get("position") {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// An answer as an HTTP response.
pub(super) fn respond(answer: &Answer, status: StatusCode, media: Media) -> Response {
    let mut response = (status, write(answer)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.name()));
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    if let Some(position) = position_of(answer).and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert("cx-position", position);
    }
    response
}

/// The id the gate gave a request.
pub(super) fn request_id(extensions: &axum::http::Extensions) -> RequestId {
    extensions.get().copied().unwrap_or_else(RequestId::fresh)
}
