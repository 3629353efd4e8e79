//! How many values an answer could hold: `first` and `last` multiply what lies under them.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Value, Variables};

use super::{Limits, Refusal, Rule};

struct Cost<'a> {
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    limits: &'a Limits,
    fragments: HashMap<&'a str, u64>,
}

/// Refuses a page larger than a page may be, and an answer that could hold too many values.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    limits: &Limits,
) -> Result<(), Refusal> {
    let mut cost = Cost { document, operation, variables, limits, fragments: HashMap::new() };
    if cost.set(&operation.selection_set.node)? > limits.nodes {
        return Err(Refusal::over(
            Rule::Nodes,
            "values in an answer, pages multiplied out",
            limits.nodes,
        ));
    }
    Ok(())
}

impl<'a> Cost<'a> {
    /// The count ran before: fragments do not spread each other in a circle, rows are short.
    fn set(&mut self, set: &'a SelectionSet) -> Result<u64, Refusal> {
        let mut sum = 0_u64;
        for selection in &set.items {
            let under = match &selection.node {
                Selection::Field(field) if field.node.name.node.starts_with("__") => 1,
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    match (self.fragments.get(name), self.document.fragments.get(name)) {
                        (Some(known), _) => *known,
                        (None, None) => 0,
                        (None, Some(fragment)) => {
                            let size = self.set(&fragment.node.selection_set.node)?;
                            self.fragments.insert(name, size);
                            size
                        }
                    }
                }
            };
            sum = sum.saturating_add(under);
        }
        Ok(sum)
    }

    fn field(&mut self, field: &'a Field) -> Result<u64, Refusal> {
        let pages = self.pages(field)?;
        let under = self.set(&field.selection_set.node)?;
        Ok(under.saturating_mul(pages).saturating_add(1))
    }

    /// How many items of its list a field asks for; 1 for a field that is no list.
    fn pages(&self, field: &Field) -> Result<u64, Refusal> {
        let mut page = None;
        for (name, _) in &field.arguments {
            if matches!(name.node.as_str(), "first" | "last") {
                // Anything but a whole number is the validator's to report.
                let asked = self.number(field, &name.node).unwrap_or(self.limits.page_default);
                if asked > self.limits.page {
                    return Err(Refusal::over(Rule::Page, "items of a page", self.limits.page));
                }
                page = Some(page.unwrap_or(0).max(asked));
            }
        }
        let connection = || {
            field.selection_set.node.items.iter().any(|item| {
                matches!(&item.node, Selection::Field(field)
                    if matches!(field.node.name.node.as_str(), "edges" | "nodes"))
            })
        };
        Ok(page.unwrap_or_else(|| if connection() { self.limits.page_default } else { 1 }).max(1))
    }

    fn number(&self, field: &Field, argument: &str) -> Option<u64> {
        let known = field.get_argument(argument)?.node.clone().into_const_with(|name| {
            let default = || {
                let mut definitions = self.operation.variable_definitions.iter();
                let found = definitions.find(|v| v.node.name.node == name)?;
                found.node.default_value.as_ref().map(|value| &value.node)
            };
            self.variables.get(&name).or_else(default).cloned().ok_or(())
        });
        match known {
            Ok(Value::Number(number)) => number.as_u64(),
            _ => None,
        }
    }
}
