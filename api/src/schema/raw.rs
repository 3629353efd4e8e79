//! The hot list written as JSON text at once: a page of timeline entries.
//!
//! Its type is the derived one, and whatever the plan does not know (a field with arguments or of
//! its own resolver, a directive, a selection that has to be merged with another) is resolved by
//! the derived type. A property test compares the two over generated documents.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::EnumType;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

use super::timeline::{TimelineEdge, TimelineEntry};

/// A list that is written as text where the selection allows.
#[derive(Debug, Clone)]
pub struct RawList<T>(pub Arc<Vec<T>>);

/// An item that can be written by a plan.
pub trait RawItem: OutputType + Sized {
    /// What is written for one selected field; `None` if only the derived type can.
    fn part(field: &Field, selected: &Selected<'_>) -> Option<Part<Self>>;
}

/// How one field of an item is written.
pub enum Part<T> {
    /// A value that this function writes.
    Leaf(fn(&T, &mut String)),
    /// An object inside, by its own plan.
    Inner(fn(&T) -> &TimelineEntry, Plan<TimelineEntry>),
}

/// A selection, compiled: what is written for each item, in order, each behind its key as JSON.
pub struct Plan<T> {
    parts: Vec<(String, Part<T>)>,
}

/// Where fragments are found.
pub struct Selected<'a> {
    context: &'a ContextSelectionSet<'a>,
}

impl<T: RawItem> Plan<T> {
    /// The plan of a list's selection; `None` if the derived type has to resolve it.
    fn of(context: &ContextSelectionSet<'_>) -> Option<Self> {
        if !stands_once(context) {
            return None;
        }
        Self::compile(&context.item.node, &Selected { context })
    }

    /// The items as JSON text, which `http::written` copies as it is.
    fn list<'a>(&self, items: impl ExactSizeIterator<Item = &'a T>) -> Value
    where
        T: 'a,
    {
        let mut text = String::with_capacity(2 + items.len() * 288);
        text.push('[');
        for (place, item) in items.enumerate() {
            if place > 0 {
                text.push(',');
            }
            self.write(item, &mut text);
        }
        text.push(']');
        Value::Binary(text.into())
    }

    /// Compiles a selection; `None` if the derived type has to resolve it.
    fn compile(set: &SelectionSet, selected: &Selected<'_>) -> Option<Self> {
        let mut plan = Self { parts: Vec::new() };
        plan.take(set, selected)?;
        Some(plan)
    }

    fn take(&mut self, set: &SelectionSet, selected: &Selected<'_>) -> Option<()> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.take_field(&field.node, selected)?,
                Selection::FragmentSpread(spread) if spread.node.directives.is_empty() => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = &selected.context.query_env.fragments.get(name)?.node;
                    let on = &fragment.type_condition.node.on.node;
                    if on.as_str() != T::type_name() || !fragment.directives.is_empty() {
                        return None;
                    }
                    self.take(&fragment.selection_set.node, selected)?;
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn take_field(&mut self, field: &Field, selected: &Selected<'_>) -> Option<()> {
        if !field.directives.is_empty() || !field.arguments.is_empty() {
            return None;
        }
        let key = field.response_key().node.as_str();
        // A response key is a GraphQL name: nothing in it needs escaping.
        let key = format!("\"{key}\":");
        // A key that stands twice has to be merged, which the derived type does.
        if self.parts.iter().any(|(known, _)| *known == key) {
            return None;
        }
        self.parts.push((key, T::part(field, selected)?));
        Some(())
    }

    fn write(&self, item: &T, out: &mut String) {
        out.push('{');
        for (place, (key, part)) in self.parts.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            out.push_str(key);
            match part {
                Part::Leaf(write) => write(item, out),
                Part::Inner(inner, plan) => plan.write(inner(item), out),
            }
        }
        out.push('}');
    }
}

/// Each list and each fragment stands once in the document, so nothing has to be merged later.
fn stands_once(context: &ContextSelectionSet<'_>) -> bool {
    fn count<'a>(set: &'a SelectionSet, seen: &mut BTreeMap<&'a str, u32>) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    if matches!(name, "edges" | "nodes" | "timeline") {
                        *seen.entry(name).or_default() += 1;
                    }
                    count(&field.node.selection_set.node, seen);
                }
                Selection::FragmentSpread(spread) => {
                    *seen.entry(spread.node.fragment_name.node.as_str()).or_default() += 1;
                }
                Selection::InlineFragment(inline) => {
                    count(&inline.node.selection_set.node, seen);
                }
            }
        }
    }
    let query = &context.query_env;
    let mut seen = BTreeMap::new();
    count(&query.operation.node.selection_set.node, &mut seen);
    for fragment in query.fragments.values() {
        count(&fragment.node.selection_set.node, &mut seen);
    }
    seen.values().all(|times| *times <= 1)
}

impl<T: RawItem + 'static> OutputType for RawList<T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<T> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<T> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match Plan::<T>::of(context) {
            Some(plan) => Ok(plan.list(self.0.iter())),
            None => self.0.resolve(context, field).await,
        }
    }
}

/// The entries of a page without their cursors, written from its edges.
#[derive(Debug, Clone)]
pub struct RawNodes(pub Arc<Vec<TimelineEdge>>);

impl OutputType for RawNodes {
    fn type_name() -> Cow<'static, str> {
        <Vec<TimelineEntry> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<TimelineEntry> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<TimelineEntry> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        if let Some(plan) = Plan::<TimelineEntry>::of(context) {
            return Ok(plan.list(self.0.iter().map(|edge| &edge.node)));
        }
        let nodes: Vec<TimelineEntry> = self.0.iter().map(|edge| edge.node.clone()).collect();
        nodes.resolve(context, field).await
    }
}

impl RawItem for TimelineEdge {
    fn part(field: &Field, selected: &Selected<'_>) -> Option<Part<Self>> {
        Some(match field.name.node.as_str() {
            "__typename" => Part::Leaf(|_, out| out.push_str("\"TimelineEdge\"")),
            "cursor" => Part::Leaf(|edge, out| quoted(&edge.cursor.0, out)),
            "node" => {
                let plan = Plan::compile(&field.selection_set.node, selected)?;
                Part::Inner(|edge| &edge.node, plan)
            }
            _ => return None,
        })
    }
}

impl RawItem for TimelineEntry {
    fn part(field: &Field, _: &Selected<'_>) -> Option<Part<Self>> {
        Some(Part::Leaf(match field.name.node.as_str() {
            "__typename" => |_, out| out.push_str("\"TimelineEntry\""),
            "id" => |entry, out| quoted(entry.id, out),
            "kind" => |entry, out| text(&entry.kind, out),
            "occurredAt" => |entry, out| quoted(entry.occurred_at.0, out),
            "recordedAt" => |entry, out| quoted(entry.recorded_at.0, out),
            "position" => |entry, out| quoted(entry.position, out),
            "channel" => |entry, out| name(entry.channel, out),
            "direction" => |entry, out| name(entry.direction, out),
            "stage" => |entry, out| name(entry.stage, out),
            "label" => |entry, out| match &entry.label {
                Some(label) => text(label, out),
                None => out.push_str("null"),
            },
            "valence" => |entry, out| match entry.valence {
                Some(valence) => _ = write!(out, "{valence}"),
                None => out.push_str("null"),
            },
            "status" => |entry, out| name(Some(entry.status), out),
            "touchpointId" => |entry, out| match entry.touchpoint_id {
                Some(touchpoint) => quoted(touchpoint, out),
                None => out.push_str("null"),
            },
            _ => return None,
        }))
    }
}

/// A text that nothing in needs escaping: an id, a time, a number.
fn quoted(value: impl std::fmt::Display, out: &mut String) {
    out.push('"');
    let _ = write!(out, "{value}");
    out.push('"');
}

/// Any text.
fn text(value: &str, out: &mut String) {
    let plain = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push('"');
        out.push_str(value);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(value).to_string());
    }
}

/// A member of a closed list.
fn name<E: EnumType>(value: Option<E>, out: &mut String) {
    let item = value.and_then(|value| E::items().iter().find(|item| item.value == value));
    match item {
        Some(item) => text(item.name, out),
        None => out.push_str("null"),
    }
}
