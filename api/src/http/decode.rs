//! From bytes to a GraphQL request: the parameters of GraphQL over HTTP, checked one by one.

use async_graphql::{Request, Variables};
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::documents::{NotTrusted, Trusted};
use crate::errors::Code;
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
    #[error(transparent)]
    Document(#[from] NotTrusted),
    #[error("the parameter {0} has the wrong type")]
    Type(&'static str),
    #[error("the parameters of the address cannot be read")]
    Address,
}

impl DecodeError {
    /// The code it is answered with.
    pub(super) const fn code(self) -> Code {
        match self {
            Self::Document(NotTrusted::Unknown) => Code::NotFound,
            Self::Document(NotTrusted::Required) => Code::Forbidden,
            _ => Code::BadRequest,
        }
    }
}

/// The request in a JSON body.
pub(super) fn body(
    bytes: &[u8],
    limits: &Limits,
    trusted: &Trusted,
) -> Result<Request, DecodeError> {
    if guard::json_nesting(bytes) > limits.variables_nesting + 2 {
        return Err(DecodeError::Nesting);
    }
    match serde_json::from_slice(bytes).map_err(|_| DecodeError::Json)? {
        Value::Object(parameters) => request(parameters, trusted),
        _ => Err(DecodeError::NotAnObject),
    }
}

/// The request in a JSON object with `query` or `documentId`, `variables`, `operationName` and
/// `extensions`.
pub(super) fn request(
    mut parameters: Map<String, Value>,
    trusted: &Trusted,
) -> Result<Request, DecodeError> {
    let mut text = |name: &'static str| match parameters.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(DecodeError::Type(name)),
    };
    let (query, id) = (text("query")?, text("documentId")?);
    let extensions = match parameters.remove("extensions") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(extensions)) => extensions,
        Some(_) => return Err(DecodeError::Type("extensions")),
    };
    // Where Apollo's clients put it.
    let persisted = extensions.get("persistedQuery").and_then(|named| named.get("sha256Hash"));
    let id = id.as_deref().or_else(|| persisted.and_then(Value::as_str));
    let mut request = Request::new(trusted.document(query, id)?);
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
    Ok(request)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// The request in the parameters of an address.
pub(super) fn address(
    uri: &axum::http::Uri,
    limits: &Limits,
    trusted: &Trusted,
) -> Result<Request, DecodeError> {
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
    if let Some(id) = address.document_id {
        parameters.insert("documentId".into(), Value::String(id));
    }
    if let Some(name) = address.operation_name {
        parameters.insert("operationName".into(), Value::String(name));
    }
    parameters.insert("variables".into(), json(address.variables, "variables")?);
    parameters.insert("extensions".into(), json(address.extensions, "extensions")?);
    request(parameters, trusted)
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
