//! Media types and statuses: which representation a client accepts, and with which status an
//! answer goes out. One function each.

use async_graphql::{Response as Answer, Value};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::answer::written;
use crate::errors::{Code, RETRY_SECONDS, code_of};
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

/// The position an answer is true at, as text.
pub(super) fn position_of(answer: &Answer) -> Option<&str> {
    match answer.extensions.get("position") {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// An answer as an HTTP response.
pub(super) fn respond(answer: &Answer, status: StatusCode, media: Media) -> Response {
    respond_written(answer, written(answer), status, media)
}

fn respond_written(answer: &Answer, text: Vec<u8>, status: StatusCode, media: Media) -> Response {
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.name()));
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    if status == Code::Unavailable.status()
        && answer.errors.first().and_then(code_of) == Some(Code::Unavailable)
    {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
    }
    if let Some(position) = position_of(answer).and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert("cx-position", position);
    }
    response
}

/// An answer to a GET, with a strong tag of what it says and of the position it is true at; 304 and
/// no body for who has it already.
pub(super) fn respond_tagged(answer: &Answer, media: Media, headers: &HeaderMap) -> Response {
    let text = written(answer);
    let digest = Sha256::digest(&text);
    let digits = digest[..16].iter().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
    let tag = format!("\"{digits}\"");
    let mut response = respond_written(answer, text, StatusCode::OK, media);
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let tags = value.to_str().unwrap_or_default().split(',').map(str::trim);
        tags.map(|known| known.strip_prefix("W/").unwrap_or(known))
            .any(|known| known == tag || known == "*")
    });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = axum::body::Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    // An answer is one caller's, and true at a position: it is kept only to be asked about again.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// The id the gate gave a request.
pub(super) fn request_id(extensions: &axum::http::Extensions) -> RequestId {
    extensions.get().copied().unwrap_or_else(RequestId::fresh)
}
