//! Selections, aliases and directives of a parsed document, counted as if every fragment were
//! written out where it is spread. Each fragment is counted once; sums saturate.

use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

use super::{Limits, Refusal, Rule};

/// What a piece of a document comes to once its fragments are expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    selections: u64,
    aliases: u64,
    directives: u64,
    /// The deepest nesting of fields.
    depth: usize,
    /// The longest row of fragments that spread each other.
    chain: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.selections = self.selections.saturating_add(other.selections);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.depth = self.depth.max(other.depth);
        self.chain = self.chain.max(other.chain);
    }
}

enum Visit {
    Open,
    Done(Size),
}

struct Count<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    fragments: HashMap<&'a str, Visit>,
    /// Fragments being expanded right now; bounds the recursion.
    row: usize,
}

/// Refuses a document whose operations and fragments expand to too much.
pub(super) fn check(document: &ExecutableDocument, limits: &Limits) -> Result<(), Refusal> {
    if document.operations.iter().count() > limits.operations {
        return Err(Refusal::over(Rule::Operations, "operations in a document", limits.operations));
    }
    let mut count = Count { document, limits, fragments: HashMap::new(), row: 0 };
    let mut total = Size::default();
    for (_, operation) in document.operations.iter() {
        let variables = &operation.node.variable_definitions;
        let on_variables: usize = variables.iter().map(|v| v.node.directives.len()).sum();
        total.add(Size {
            directives: (operation.node.directives.len() + on_variables) as u64,
            ..Size::default()
        });
        total.add(count.set(&operation.node.selection_set.node)?);
    }
    // Fragments nobody spreads are validated all the same.
    for name in document.fragments.keys() {
        if !count.fragments.contains_key(name.as_str()) {
            total.add(count.fragment(name)?);
        }
    }
    let over = |rule, what, limit| Err(Refusal::over(rule, what, limit));
    if total.selections > limits.selections {
        return over(Rule::Selections, "selections, fragments expanded", limits.selections);
    }
    if total.aliases > limits.aliases {
        return over(Rule::Aliases, "aliases, fragments expanded", limits.aliases);
    }
    if total.directives > limits.directives {
        return over(Rule::Directives, "directives, fragments expanded", limits.directives);
    }
    if total.depth > limits.depth {
        return over(Rule::Depth, "fields nested in each other", limits.depth as u64);
    }
    Ok(())
}

impl<'a> Count<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> Result<Size, Refusal> {
        let mut size = Size::default();
        for selection in &set.items {
            size.add(Size {
                selections: 1,
                directives: selection.node.directives().len() as u64,
                ..Size::default()
            });
            match &selection.node {
                Selection::Field(field) => {
                    let mut under = self.set(&field.node.selection_set.node)?;
                    under.depth += 1;
                    under.aliases =
                        under.aliases.saturating_add(u64::from(field.node.alias.is_some()));
                    size.add(under);
                }
                Selection::InlineFragment(inline) => {
                    size.add(self.set(&inline.node.selection_set.node)?);
                }
                Selection::FragmentSpread(spread) => {
                    size.add(self.fragment(&spread.node.fragment_name.node)?);
                }
            }
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a Name) -> Result<Size, Refusal> {
        match self.fragments.get(name.as_str()) {
            Some(Visit::Done(size)) => return Ok(*size),
            Some(Visit::Open) => {
                return Err(Refusal::new(
                    Rule::FragmentCycle,
                    "fragments spread each other in a circle: break it",
                ));
            }
            None => {}
        }
        // A spread of an unknown fragment is the validator's to report.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Size::default()) };
        let too_long = || {
            Refusal::over(
                Rule::FragmentChain,
                "fragments that spread each other in a row",
                self.limits.spreads,
            )
        };
        if self.row >= self.limits.spreads {
            return Err(too_long());
        }
        self.fragments.insert(name.as_str(), Visit::Open);
        self.row += 1;
        let mut size = self.set(&fragment.node.selection_set.node)?;
        self.row -= 1;
        size.chain += 1;
        if size.chain > self.limits.spreads {
            return Err(too_long());
        }
        size.add(Size { directives: fragment.node.directives.len() as u64, ..Size::default() });
        self.fragments.insert(name.as_str(), Visit::Done(size));
        Ok(size)
    }
}
