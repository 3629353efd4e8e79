//! Requests that mean harm, each with the rule that is meant to refuse it.
//!
//! The tests refuse every one by that very rule; `cxledger bench hostile` measures what the worst
//! of them costs. The field names are those of any schema: refusals come before validation.

mod expansion;
mod text;

use async_graphql::Variables;

use crate::guard::Rule;

/// One request that means harm.
#[derive(Debug, Clone)]
pub struct Hostile {
    /// What it tries.
    pub name: String,
    /// Its document.
    pub document: String,
    /// Its variables.
    pub variables: Variables,
    /// The rule that is meant to refuse it.
    pub rule: Rule,
}

impl Hostile {
    fn new(rule: Rule, name: impl Into<String>, document: impl Into<String>) -> Self {
        let (name, document) = (name.into(), document.into());
        Self { name, document, variables: Variables::default(), rule }
    }

    fn with(mut self, variables: serde_json::Value) -> Self {
        self.variables = Variables::from_json(variables);
        self
    }
}

/// The whole generated corpus, more than two hundred requests.
pub fn corpus() -> Vec<Hostile> {
    let mut all = text::corpus();
    all.extend(expansion::corpus());
    all
}

/// Documents just inside the limits: the guard lets them through, so what they cost counts too.
pub fn borderline() -> Vec<(String, String)> {
    let many = |what: &str, n: usize| what.repeat(n);
    let chain = expansion::doubling(13, "__typename");
    vec![
        ("4,990 fields".into(), format!("{{ {} }}", many("__typename ", 4_990))),
        ("500 aliases".into(), format!("{{ {} }}", (0..500).fold(String::new(), |d, n| format!("{d} a{n}: __typename")))),
        ("500 unknown fields".into(), format!("{{ {} }}", (0..500).fold(String::new(), |d, n| format!("{d} nope{n}")))),
        ("16,000 expanded selections".into(), chain),
        ("64 nested lists".into(), format!("{{ __typename @skip(if: {}{}) }}", many("[", 61), many("]", 61))),
        ("60 KiB in a string".into(), format!("{{ __typename @skip(if: \"{}\") }}", many("x", 60_000))),
        ("60 KiB in a block string".into(), format!("{{ __typename @skip(if: \"\"\"{}\"\"\") }}", many("x\n", 30_000))),
        ("60 KiB of comments".into(), format!("{{ __typename }} {}", many("#\n", 30_000))),
        ("60 KiB of blanks, then nothing".into(), format!("{{ __typename {}", many(" ", 60_000))),
        ("500 directives".into(), format!("{{ __typename {} }}", many("@skip(if: false) ", 500))),
        ("800 variables".into(), format!("query({}) {{ __typename }}", (0..800).fold(String::new(), |d, n| format!("{d} $v{n}: Int")))),
        ("600 arguments".into(), format!("{{ a({}) }}", (0..600).fold(String::new(), |d, n| format!("{d} x{n}: 1")))),
        ("a conflict a thousand times".into(), format!("{{ a: __typename {} }}", many("a: b ", 499))),
        ("50 operations over one fragment".into(), format!("{} fragment F on Query {{ {} }}", (0..50).fold(String::new(), |d, n| format!("{d} query Q{n} {{ ...F }}")), many("__typename ", 350))),
        ("introspection at its limit".into(), format!("{{ __schema {{ {} }} }}", (0..6).fold(String::new(), |d, n| format!("{d} t{n}: types {{ name fields {{ name args {{ name type {{ name ofType {{ name ofType {{ name }} }} }} }} }} }}")))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_has_more_than_two_hundred_requests_with_names_of_their_own() {
        let corpus = corpus();
        let names: std::collections::HashSet<_> = corpus.iter().map(|h| &h.name).collect();
        assert_eq!(names.len(), corpus.len());
        assert!(corpus.len() >= 200, "{}", corpus.len());
    }
}
