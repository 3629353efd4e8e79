//! Questions about the schema itself: their lists have no `first`, so their nesting is limited.
//!
//! The introspection query of graphql-js nests three lists (types, fields, args) and asks for
//! about a dozen; `types { fields { type { fields { type { .. } } } } }` would grow without bound.

use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};

use super::{Limits, Refusal, Rule};

const LISTS: [&str; 8] = [
    "types",
    "fields",
    "args",
    "inputFields",
    "interfaces",
    "possibleTypes",
    "enumValues",
    "directives",
];

struct Lists<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    seen: u64,
}

/// Refuses introspection that nests or repeats lists more than a client's tools do.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    limits: &Limits,
) -> Result<(), Refusal> {
    let mut lists = Lists { document, limits, seen: 0 };
    lists.set(&operation.selection_set.node, None)
}

impl Lists<'_> {
    /// `within` is the number of lists around the set; `None` outside of introspection. The count
    /// ran before, so what is walked here is at most its limit of selections.
    fn set(&mut self, set: &SelectionSet, within: Option<usize>) -> Result<(), Refusal> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let within = match within {
                        None if matches!(name, "__schema" | "__type") => Some(0),
                        Some(lists) if LISTS.contains(&name) => {
                            self.seen += 1;
                            Some(lists + 1)
                        }
                        other => other,
                    };
                    if within.is_some_and(|lists| lists > self.limits.introspection_lists)
                        || self.seen > self.limits.introspection_fields
                    {
                        return Err(Refusal::new(
                            Rule::Introspection,
                            "the schema is asked in too many nested lists: use a standard introspection query",
                        ));
                    }
                    self.set(&field.node.selection_set.node, within)?;
                }
                Selection::InlineFragment(inline) => {
                    self.set(&inline.node.selection_set.node, within)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    if let Some(fragment) = self.document.fragments.get(name) {
                        self.set(&fragment.node.selection_set.node, within)?;
                    }
                }
            }
        }
        Ok(())
    }
}
