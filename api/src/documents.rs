//! Parsed documents, kept by the hash of their text so that the next request need not parse.

mod trusted;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::ServerError;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::parser::{self, parse_query};
use sha2::{Digest, Sha256};

use crate::guard::{self, Limits, Refusal, Rule};
pub(crate) use trusted::NotTrusted;
pub use trusted::{ManifestError, Trust, Trusted};

/// The SHA-256 of a document's text.
pub type DocumentHash = [u8; 32];

/// A bounded cache of documents that passed the guard; the oldest makes room.
pub struct Documents {
    limit: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    parsed: HashMap<DocumentHash, Arc<ExecutableDocument>>,
    order: VecDeque<DocumentHash>,
}

impl Documents {
    /// A cache of at most `limit` documents; the guard bounds the size of each.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), held: Mutex::default() }
    }

    /// The document of this text, scanned, parsed and counted once.
    pub fn get(
        &self,
        text: &str,
        limits: &Limits,
    ) -> Result<(DocumentHash, Arc<ExecutableDocument>), ServerError> {
        // Before hashing: a text over the limit is not worth reading.
        if text.len() > limits.document_bytes {
            return guard::scan(text, limits)
                .and(Err(Refusal::new(Rule::Length, "the document is too long")))
                .map_err(Refusal::into_error);
        }
        let hash: DocumentHash = Sha256::digest(text.as_bytes()).into();
        if let Some(known) = self.locked().parsed.get(&hash) {
            return Ok((hash, Arc::clone(known)));
        }
        guard::scan(text, limits).map_err(Refusal::into_error)?;
        let document = parse_query(text).map_err(|error| syntax(&error))?;
        guard::check_document(&document, limits).map_err(Refusal::into_error)?;
        let document = Arc::new(document);
        let mut held = self.locked();
        if held.parsed.insert(hash, Arc::clone(&document)).is_none() {
            held.order.push_back(hash);
            if held.order.len() > self.limit
                && let Some(oldest) = held.order.pop_front()
            {
                held.parsed.remove(&oldest);
            }
        }
        Ok((hash, document))
    }

    /// How many documents are held.
    pub fn len(&self) -> usize {
        self.locked().parsed.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the document stops being GraphQL, without a word of it.
fn syntax(error: &parser::Error) -> ServerError {
    let places: Vec<_> = error.positions().collect();
    let what = match error {
        parser::Error::Syntax { .. } => "the document is not GraphQL",
        parser::Error::MultipleOperations { .. } => {
            "an operation without a name stands beside others: name them all"
        }
        parser::Error::OperationDuplicated { .. } => "two operations have one name",
        parser::Error::FragmentDuplicated { .. } => "two fragments have one name",
        parser::Error::MissingOperation => "the document has no operation",
        parser::Error::RecursionLimitExceeded => "the document nests too deep",
        _ => "the document cannot be read",
    };
    let message = match places.first() {
        Some(at) => format!("{what}: line {}, column {}", at.line, at.column),
        None => what.to_owned(),
    };
    let mut error = Refusal::new(Rule::Syntax, message).into_error();
    error.locations = places;
    error
}
