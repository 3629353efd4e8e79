//! What stands before the engine: every document passes it, on every transport, before anything
//! that recurses, expands or allocates in proportion to what the document describes.
//!
//! First one pass over the bytes, without recursion ([`scan`]); then the parse; then the counts on
//! the parsed document (`count`, `cost`, `introspection`). Each refusal names its rule.

mod cost;
mod count;
mod introspection;
mod json;
mod scan;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};
use async_graphql::{ServerError, Value, Variables};

pub use json::json_nesting;
pub use scan::scan;

use crate::errors::Code;

/// How much one request may ask for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a document.
    pub document_bytes: usize,
    /// Tokens of a document, comments aside.
    pub tokens: usize,
    /// Bytes of a name or number.
    pub token_bytes: usize,
    /// Brackets of any kind open at once.
    pub nesting: usize,
    /// Operations in one document.
    pub operations: usize,
    /// Fragments that spread each other in a row.
    pub spreads: usize,
    /// Selections after fragments are expanded.
    pub selections: u64,
    /// Aliases after fragments are expanded.
    pub aliases: u64,
    /// Directives after fragments are expanded.
    pub directives: u64,
    /// Nesting of the JSON of the variables.
    pub variables_nesting: usize,
    /// Fields inside fields.
    pub depth: usize,
    /// Values the answer may hold, `first` and `last` multiplied out.
    pub nodes: u64,
    /// The largest `first` or `last`.
    pub page: u64,
    /// The page of a connection that names neither.
    pub page_default: u64,
    /// List fields of `__schema` and `__type` within each other.
    pub introspection_lists: usize,
    /// List fields of `__schema` and `__type` in all.
    pub introspection_fields: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 64 << 10,
            tokens: 5_000,
            token_bytes: 256,
            nesting: 64,
            operations: 50,
            spreads: 30,
            selections: 20_000,
            aliases: 500,
            directives: 500,
            variables_nesting: 32,
            depth: 20,
            nodes: 100_000,
            page: 100,
            page_default: 50,
            introspection_lists: 3,
            introspection_fields: 24,
        }
    }
}

/// The rule a refused request broke, as `extensions.rule` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The document is too long.
    Length,
    /// It has too many tokens.
    Tokens,
    /// One of its names or numbers is too long.
    TokenLength,
    /// A string or block string does not end.
    OpenString,
    /// Too many brackets are open at once.
    Nesting,
    /// It is not a GraphQL document.
    Syntax,
    /// It has too many operations.
    Operations,
    /// Fragments spread each other in a circle.
    FragmentCycle,
    /// Too many fragments spread each other in a row.
    FragmentChain,
    /// Too many selections once fragments are expanded.
    Selections,
    /// Too many aliases once fragments are expanded.
    Aliases,
    /// Too many directives once fragments are expanded.
    Directives,
    /// The variables nest too deep.
    VariablesNesting,
    /// Fields nest too deep.
    Depth,
    /// A page is larger than a page may be.
    Page,
    /// The answer could hold too many values.
    Nodes,
    /// The schema is asked about itself in too many nested lists.
    Introspection,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 17] = [
        Self::Length,
        Self::Tokens,
        Self::TokenLength,
        Self::OpenString,
        Self::Nesting,
        Self::Syntax,
        Self::Operations,
        Self::FragmentCycle,
        Self::FragmentChain,
        Self::Selections,
        Self::Aliases,
        Self::Directives,
        Self::VariablesNesting,
        Self::Depth,
        Self::Page,
        Self::Nodes,
        Self::Introspection,
    ];

    /// The rule's name in `extensions.rule`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Tokens => "tokens",
            Self::TokenLength => "token_length",
            Self::OpenString => "open_string",
            Self::Nesting => "nesting",
            Self::Syntax => "syntax",
            Self::Operations => "operations",
            Self::FragmentCycle => "fragment_cycle",
            Self::FragmentChain => "fragment_chain",
            Self::Selections => "selections",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::VariablesNesting => "variables_nesting",
            Self::Depth => "depth",
            Self::Page => "page",
            Self::Nodes => "nodes",
            Self::Introspection => "introspection",
        }
    }

    const fn code(self) -> Code {
        match self {
            Self::OpenString | Self::Syntax | Self::VariablesNesting => Code::BadRequest,
            Self::FragmentCycle | Self::Page => Code::ValidationFailed,
            _ => Code::TooCostly,
        }
    }
}

/// A request the guard does not let through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The rule it broke.
    pub rule: Rule,
    message: String,
}

impl Refusal {
    /// A refusal; the message names numbers and limits, never the document.
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into() }
    }

    fn over(rule: Rule, what: &str, limit: impl std::fmt::Display) -> Self {
        Self::new(rule, format!("{what}: at most {limit} are taken"))
    }

    /// The refusal as a request error with code and rule.
    pub fn into_error(self) -> ServerError {
        let mut error = self.rule.code().server_error(self.message, None);
        if let Some(extensions) = &mut error.extensions {
            extensions.set("rule", Value::from(self.rule.name()));
        }
        error
    }
}

/// The counts that hold for a document whatever operation and variables come with it; done once,
/// before the document is cached.
pub fn check_document(document: &ExecutableDocument, limits: &Limits) -> Result<(), Refusal> {
    count::check(document, limits)
}

/// The counts that depend on the operation and its variables; done for every request.
pub fn check_operation(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    limits: &Limits,
) -> Result<(), Refusal> {
    json::check_variables(variables, limits)?;
    introspection::check(document, operation, limits)?;
    cost::check(document, operation, variables, limits)
}
