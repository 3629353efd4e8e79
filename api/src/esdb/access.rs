//! Who may use the event store: the same tokens as the rest of the server. A user's name is the
//! name beside a token and the password is the token; `Bearer TOKEN` is taken as well.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::fault::Fault;
use crate::auth::{Caller, Tokens, bearer};

/// Who sent a request. Without tokens anybody who reaches the socket, which is then a loopback one.
pub(super) fn caller(tokens: Option<&Tokens>, headers: &HeaderMap) -> Result<Caller, Fault> {
    let Some(tokens) = tokens else { return Ok(Caller::LOCAL) };
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let value = value.ok_or(Fault::Unauthenticated)?;
    if let Some(token) = bearer(value) {
        return tokens.caller(token).map_err(|_| Fault::Unauthenticated);
    }
    let (name, password) = basic(value).ok_or(Fault::Unauthenticated)?;
    let caller = tokens.caller(&password).map_err(|_| Fault::Unauthenticated)?;
    if caller.name.as_deref() == Some(name.as_str()) {
        Ok(caller)
    } else {
        Err(Fault::Unauthenticated)
    }
}

/// The name and the password of an `authorization` value such as `Basic bmFtZTpwYXNzd29yZA==`.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, text) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Refuses a caller who may not write.
pub(super) fn must_write(caller: &Caller) -> Result<(), Fault> {
    caller.must_write().map_err(|denied| Fault::Denied(denied.to_string()))
}
