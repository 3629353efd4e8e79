//! `/graphql`: one address for queries, mutations and subscriptions.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request, ServerError};
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use cx_model::Position;

use super::media::{self, Accepted, Media};
use super::{Api, decode, sse, ws};
use crate::auth::{Caller, Denied};
use crate::body::{self, BodyError};
use crate::errors::Code;
use crate::executor::RequestId;
use crate::guard::{Refusal, Rule};
use crate::positions::{AtLeast, ReadPositions, ResumeAfter};

/// What a request says beside its GraphQL.
#[derive(Debug, Clone)]
pub(super) struct Meta {
    pub(super) id: RequestId,
    pub(super) at_least: AtLeast,
    pub(super) resume_after: Option<ResumeAfter>,
}

impl Meta {
    /// Puts the data every resolver may rely on into a request.
    pub(super) fn equip(&self, request: Request, caller: Caller) -> Request {
        let request =
            request.data(self.id).data(self.at_least).data(caller).data(ReadPositions::default());
        match self.resume_after {
            Some(after) => request.data(after),
            None => request,
        }
    }
}

/// An answer that is known before GraphQL runs.
struct Early {
    error: Box<ServerError>,
    /// A status of its own instead of the code's.
    status: Option<StatusCode>,
    allow: Option<&'static str>,
    /// Whether the request was a GraphQL request at all.
    well_formed: bool,
}

impl Early {
    fn new(code: Code, message: impl Into<String>) -> Self {
        let error = Box::new(code.server_error(message, None));
        Self { error, status: None, allow: None, well_formed: false }
    }

    fn status(code: StatusCode, message: &str) -> Self {
        Self { status: Some(code), ..Self::new(Code::BadRequest, message) }
    }
}

impl From<Denied> for Early {
    fn from(denied: Denied) -> Self {
        Self::new(denied.code(), denied.to_string())
    }
}

impl From<decode::DecodeError> for Early {
    fn from(error: decode::DecodeError) -> Self {
        if error == decode::DecodeError::Nesting {
            let refusal = Refusal::new(Rule::VariablesNesting, error.to_string()).into_error();
            return Self { error: Box::new(refusal), ..Self::new(Code::BadRequest, "") };
        }
        Self::new(error.code(), error.to_string())
    }
}

pub(super) async fn handle<S: Executor>(
    State(api): State<Arc<Api<S>>>,
    request: axum::extract::Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let id = media::request_id(&parts.extensions);
    let accepted = media::accepted(&parts.headers);
    let upgrade = parts.headers.get(header::UPGRADE);
    if upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => match socket(&api, &parts.headers, id) {
                Ok((meta, caller)) => ws::accept(upgrade, api, meta, caller),
                Err(early) => refuse(&api, early, id, accepted),
            },
            Err(rejection) => axum::response::IntoResponse::into_response(rejection),
        };
    }
    match respond(&api, &parts, body, id, accepted).await {
        Ok(response) => response,
        Err(early) => refuse(&api, early, id, accepted),
    }
}

/// A WebSocket may come without a token: `connection_init` can bring it.
fn socket<S: Executor>(
    api: &Api<S>,
    headers: &HeaderMap,
    id: RequestId,
) -> Result<(Meta, Option<Caller>), Early> {
    let meta = meta(headers, id)?;
    match api.caller(headers) {
        Ok(caller) => Ok((meta, Some(caller))),
        Err(Denied::Missing) => Ok((meta, None)),
        Err(denied) => Err(denied.into()),
    }
}

fn refuse<S: Executor>(api: &Api<S>, early: Early, id: RequestId, accepted: Accepted) -> Response {
    let answer = api.executor.refuse(*early.error, id);
    let media = accepted.single.unwrap_or(Media::Json);
    let rules = api.config.statuses;
    let usual = media::status(&answer, media, early.well_formed, rules);
    let mut response = media::respond(&answer, early.status.unwrap_or(usual), media);
    if let Some(allow) = early.allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

async fn respond<S: Executor>(
    api: &Arc<Api<S>>,
    parts: &Parts,
    body: axum::body::Body,
    id: RequestId,
    accepted: Accepted,
) -> Result<Response, Early> {
    let limits = api.executor.limits();
    let not_allowed = |message, allow| Early {
        allow: Some(allow),
        ..Early::status(StatusCode::METHOD_NOT_ALLOWED, message)
    };
    if !matches!(parts.method, Method::GET | Method::POST) {
        return Err(not_allowed("requests come by POST, queries also by GET", "GET, POST"));
    }
    if accepted.single.is_none() && !accepted.events {
        let message =
            "accept application/graphql-response+json, application/json or text/event-stream";
        return Err(Early::status(StatusCode::NOT_ACCEPTABLE, message));
    }
    let caller = api.caller(&parts.headers)?;
    let meta = meta(&parts.headers, id)?;
    let request = if parts.method == Method::GET {
        decode::address(&parts.uri, limits, &api.config.trusted)?
    } else {
        if !decode::is_json(&parts.headers) {
            let message = "send JSON in UTF-8 with the header content-type: application/json";
            return Err(Early::status(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let bytes = read(api, &parts.headers, body).await?;
        decode::body(&bytes, limits, &api.config.trusted)?
    };
    let request = meta.equip(request, caller.clone());
    let prepared = api.executor.prepare(&request).map_err(|error| {
        let rule = error.extensions.as_ref().and_then(|values| values.get("rule"));
        let syntax = rule.is_none_or(|rule| *rule == Rule::Syntax.name().into());
        Early { error, status: None, allow: None, well_formed: syntax }
    })?;
    if prepared.operation == OperationType::Mutation {
        if parts.method == Method::GET {
            return Err(not_allowed("a mutation comes by POST", "POST"));
        }
        caller.must_write()?;
    }
    let live = prepared.operation == OperationType::Subscription || accepted.single.is_none();
    if live {
        if !accepted.events {
            let message = "a subscription comes by WebSocket, or as text/event-stream: accept it";
            return Err(Early::status(StatusCode::NOT_ACCEPTABLE, message));
        }
        return sse::stream(api, &prepared, request).ok_or_else(|| Early {
            status: Some(StatusCode::SERVICE_UNAVAILABLE),
            ..Early::new(Code::TooCostly, "too many streams are open: try again later")
        });
    }
    let media = accepted.single.unwrap_or(Media::Json);
    let answer = api.executor.run(&prepared, request).await;
    let status = media::status(&answer, media, true, api.config.statuses);
    if parts.method == Method::GET && status == StatusCode::OK && answer.errors.is_empty() {
        return Ok(media::respond_tagged(&answer, media, &parts.headers));
    }
    Ok(media::respond(&answer, status, media))
}

async fn read<S: Executor>(
    api: &Api<S>,
    headers: &HeaderMap,
    body: axum::body::Body,
) -> Result<Bytes, Early> {
    let config = &api.config;
    body::read(headers, body, config.body_bytes, config.body_deadline).await.map_err(|error| {
        let status = match error {
            BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken => StatusCode::BAD_REQUEST,
        };
        Early::status(status, &error.to_string())
    })
}

fn meta(headers: &HeaderMap, id: RequestId) -> Result<Meta, Early> {
    let position = |name: &str| -> Result<Option<Position>, Early> {
        let Some(value) = headers.get(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let parsed = value.to_str().ok().and_then(|text| text.trim().parse().ok());
        let wrong = || {
            let message = format!("the header {name} is not a position such as 1234 or 1234.1200");
            Early::new(Code::BadRequest, message)
        };
        parsed.map(Some).ok_or_else(wrong)
    };
    let at_least = AtLeast(position("cx-at-least")?);
    let resume_after = position("last-event-id")?.map(ResumeAfter);
    Ok(Meta { id, at_least, resume_after })
}
