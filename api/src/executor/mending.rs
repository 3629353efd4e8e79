//! What the engine's answers need before a client may see them.

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};

use super::RequestId;
use crate::errors::{Code, code_of};

/// Whether nothing was executed: such an answer has no `data` entry at all.
pub(crate) fn is_request_error(response: &Response) -> bool {
    !response.errors.is_empty()
        && response.data == Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// Gives every error its code and the request's id, masks faults and cuts what is too long.
pub(super) fn mend(mut response: Response, id: RequestId, shown: usize) -> Response {
    if response.errors.is_empty() {
        return response;
    }
    response.errors.truncate(shown);
    for error in &mut response.errors {
        let code = code_of(error).unwrap_or_else(|| uncoded(error));
        if code == Code::Internal {
            tracing::error!(request = %id, cause = %error.message, "a request failed inside");
            "an internal fault: its cause is in the server's log under requestId"
                .clone_into(&mut error.message);
        } else if let Some(end) = error.message.find(" Did you mean") {
            error.message.truncate(end);
        }
        error.source = None;
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", code.name());
        extensions.set("requestId", id.to_string());
    }
    response
}

/// The code of an error that the engine raised itself, or that a resolver let fall through.
fn uncoded(error: &ServerError) -> Code {
    // What the engine says of arguments and variables has no source; a fault that came up through
    // `?` has one.
    let of_input = ["Failed to parse \"", "Expected input type \"", "Invalid value for argument"];
    let input = of_input.iter().any(|start| error.message.starts_with(start));
    match error.source {
        None if error.path.is_empty() || input => Code::ValidationFailed,
        _ => Code::Internal,
    }
}
