//! From bytes to a GraphQL request: the parameters of GraphQL over HTTP, checked one by one.

use async_graphql::{Request, Variables};
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::guard::{self, Limits};

/// Why bytes are no GraphQL request. The messages never repeat what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("the body is not JSON")]
    Json,
    #[error("the body nests too deep")]
    Nesting,
    #[error("the body is not a JSON object: requests come one at a time")]
    NotAnObject,
    #[error("the parameter query is missing")]
    NoQuery,
    #[error("the parameter {0} has the wrong type")]
    Type(&'static str),
    #[error("the parameters of the address cannot be read")]
    Address,
}

/// The request in a JSON body.
pub(super) fn body(bytes: &[u8], limits: &Limits) -> Result<Request, DecodeError> {
    if guard::json_nesting(bytes) > limits.variables_nesting + 2 {
        return Err(DecodeError::Nesting);
    }
    match serde_json::from_slice(bytes).map_err(|_| DecodeError::Json)? {
        Value::Object(parameters) => request(parameters),
        _ => Err(DecodeError::NotAnObject),
    }
}

/// The request in a JSON object with `query`, `variables`, `operationName` and `extensions`.
pub(super) fn request(mut parameters: Map<String, Value>) -> Result<Request, DecodeError> {
    let query = match parameters.remove("query") {
        None | Some(Value::Null) => return Err(DecodeError::NoQuery),
        Some(Value::String(query)) => query,
        Some(_) => return Err(DecodeError::Type("query")),
    };
    let mut request = Request::new(query);
    match parameters.remove("operationName") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) => {
            request.operation_name = Some(name).filter(|name| !name.is_empty());
        }
        Some(_) => return Err(DecodeError::Type("operationName")),
    }
    match parameters.remove("variables") {
        None | Some(Value::Null) => {}
        Some(variables @ Value::Object(_)) => request.variables = Variables::from_json(variables),
        Some(_) => return Err(DecodeError::Type("variables")),
    }
    match parameters.remove("extensions") {
        None | Some(Value::Null | Value::Object(_)) => Ok(request),
        Some(_) => Err(DecodeError::Type("extensions")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// The request in the parameters of an address.
pub(super) fn address(uri: &axum::http::Uri, limits: &Limits) -> Result<Request, DecodeError> {
    let found = axum::extract::Query::<Address>::try_from_uri(uri);
    let address = found.map_err(|_| DecodeError::Address)?.0;
    let json = |text: Option<String>, name| match text.filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) if guard::json_nesting(text.as_bytes()) > limits.variables_nesting + 1 => {
            Err(DecodeError::Nesting)
        }
        Some(text) => serde_json::from_str(&text).map_err(|_| DecodeError::Type(name)),
    };
    let mut parameters = Map::new();
    if let Some(query) = address.query {
        parameters.insert("query".into(), Value::String(query));
    }
    if let Some(name) = address.operation_name {
        parameters.insert("operationName".into(), Value::String(name));
    }
    parameters.insert("variables".into(), json(address.variables, "variables")?);
    parameters.insert("extensions".into(), json(address.extensions, "extensions")?);
    request(parameters)
}

/// Whether a body says it is JSON in UTF-8.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let mut pieces = kind.split(';').map(str::trim);
    pieces.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && pieces.filter(|piece| !piece.is_empty()).all(|piece| match piece.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}
