//! A customer's timeline: the connection, its entries, its filter.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ComplexObject, Context, ContextSelectionSet, Enum, ID, InputObject, OutputType, Positioned,
    Result, ServerResult, SimpleObject, Value,
};
use cx_model::{Channel, CustomerId, Direction, Position, Stage, TouchpointId};
use cx_projections::views::Touchpoint as TouchpointRow;
use cx_projections::views::timeline::{Asked, Entry, EntryStatus, Place, Timeline};

use super::catalogue::Touchpoint;
use super::event::LedgerEvent;
use super::paging::{Cursor, PageInfo};
use super::raw::{RawList, RawNodes};
use super::reading::{self, Source};
use super::scalars::DateTime;
use crate::errors::Code;

/// Which entries of a timeline are wanted. What is left out is not asked about.
#[derive(Debug, Default, Clone, InputObject)]
pub struct TimelineFilter {
    /// On one of these channels.
    pub channels: Option<Vec<Channel>>,
    /// At one of these stages.
    pub stages: Option<Vec<Stage>>,
    /// Of one of these event types, such as `InteractionRecorded`.
    pub kinds: Option<Vec<String>>,
    /// At or after this time.
    pub from: Option<DateTime>,
    /// Before this time.
    pub to: Option<DateTime>,
}

impl TimelineFilter {
    /// Whether an entry is wanted.
    pub fn wants(&self, entry: &Entry) -> bool {
        let one_of = |list: &Option<Vec<Channel>>, value: Option<Channel>| {
            list.as_ref().is_none_or(|list| value.is_some_and(|value| list.contains(&value)))
        };
        let stages = self.stages.as_ref();
        let kinds = self.kinds.as_ref();
        one_of(&self.channels, entry.channel)
            && stages.is_none_or(|list| entry.stage.is_some_and(|stage| list.contains(&stage)))
            && kinds.is_none_or(|list| {
                entry.event_type().is_some_and(|kind| list.iter().any(|wanted| wanted == kind))
            })
            && self.from.is_none_or(|from| entry.occurred_at >= from.0.as_microsecond())
            && self.to.is_none_or(|to| entry.occurred_at < to.0.as_microsecond())
    }
}

/// Which end of a timeline comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum)]
pub enum TimelineOrder {
    /// The oldest entry first.
    #[default]
    OldestFirst,
    /// The newest entry first.
    NewestFirst,
}

/// One thing that happened to a customer.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct TimelineEntry {
    /// The entry's global id.
    pub id: EntryId,
    /// The event's type, such as `InteractionRecorded`; `Unknown` for a type that this server does not know.
    pub kind: String,
    /// When it happened to the customer.
    pub occurred_at: DateTime,
    /// When the ledger took it.
    pub recorded_at: DateTime,
    /// Where the event stands in the ledger.
    pub position: Position,
    /// By which way.
    pub channel: Option<Channel>,
    /// Who came to whom.
    pub direction: Option<Direction>,
    /// Where in the relationship.
    pub stage: Option<Stage>,
    /// A short word for it: the kind of interaction, the kind of case, how a case was resolved.
    pub label: Option<String>,
    /// How it felt, from -100 to 100.
    pub valence: Option<i32>,
    /// Whether it still counts.
    pub status: EntryStatus,
    /// The id of the touchpoint, whether or not the catalogue knows it.
    pub touchpoint_id: Option<TouchpointId>,
    #[graphql(skip)]
    pub(crate) customer: CustomerId,
    #[graphql(skip)]
    pub(crate) revision: u64,
}

/// The global id of an entry: it names the customer and the place, so that it can be found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryId {
    customer: CustomerId,
    place: Place,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry-{}.{}.{}", self.customer.0, self.place.0, self.place.1)
    }
}

impl OutputType for EntryId {
    fn type_name() -> Cow<'static, str> {
        <ID as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::String(self.to_string()))
    }
}

/// The cursor of an entry: text is made of it only where it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryCursor(pub(crate) Cursor<Place>);

impl OutputType for EntryCursor {
    fn type_name() -> Cow<'static, str> {
        <String as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <String as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::String(self.0.to_string()))
    }
}

/// The customer and place an entry's id names.
pub fn entry_of_id(id: &str) -> Option<(CustomerId, Place)> {
    let mut parts = id.strip_prefix("entry-")?.split('.');
    let customer = parts.next()?.parse().ok()?;
    let place = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((customer, place))
}

impl TimelineEntry {
    /// The entry of a row's entry.
    pub fn new(customer: CustomerId, entry: Entry) -> Self {
        Self {
            id: EntryId { customer, place: entry.place() },
            kind: entry.event_type().unwrap_or("Unknown").to_owned(),
            occurred_at: DateTime::of_microseconds(entry.occurred_at),
            recorded_at: DateTime::of_microseconds(entry.recorded_at),
            position: Position::new(entry.ordinal),
            channel: entry.channel,
            direction: entry.direction,
            stage: entry.stage,
            label: entry.label,
            valence: entry.valence.map(i32::from),
            status: entry.status,
            touchpoint_id: entry.touchpoint,
            customer,
            revision: entry.revision,
        }
    }
}

#[ComplexObject]
impl TimelineEntry {
    /// Where it happened; null if nothing is known, or the catalogue does not know the touchpoint yet.
    async fn touchpoint(&self, ctx: &Context<'_>) -> Result<Option<Touchpoint>> {
        let Some(id) = self.touchpoint_id else { return Ok(None) };
        reading::read::<TouchpointRow, _>(ctx, |snapshot| {
            Ok(reading::row(snapshot, &id)?.map(|row| Touchpoint::new(id, row.view)))
        })
        .await
    }

    /// The event itself, personal values opened for those who may see them.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<LedgerEvent>> {
        LedgerEvent::of_revision(ctx, &self.customer.stream(), self.revision).await
    }
}

/// An entry and where it stands.
#[derive(Debug, Clone, SimpleObject)]
pub struct TimelineEdge {
    /// Goes into `after` to read on from here.
    pub cursor: EntryCursor,
    /// The entry.
    pub node: TimelineEntry,
}

/// A page of a timeline.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct TimelineConnection {
    /// The entries with their cursors.
    pub edges: RawList<TimelineEdge>,
    /// Whether there is more.
    pub page_info: PageInfo,
    /// The position the page is true at.
    pub as_of: Position,
}

#[ComplexObject]
impl TimelineConnection {
    /// The entries alone.
    async fn nodes(&self) -> RawNodes {
        RawNodes(Arc::clone(&self.edges.0))
    }
}

/// What a reader of a timeline asks for.
pub struct TimelineQuestion {
    /// Whose.
    pub customer: CustomerId,
    /// At most so many.
    pub limit: usize,
    /// Behind this cursor.
    pub after: Option<String>,
    /// Which entries.
    pub filter: Option<TimelineFilter>,
    /// Which end first.
    pub order: TimelineOrder,
}

/// Reads a page.
pub fn page(question: &TimelineQuestion, source: &Source<Timeline>) -> Result<TimelineConnection> {
    let after = match &question.after {
        None => None,
        Some(cursor) => Some(Cursor::<Place>::parse(cursor).ok_or_else(|| {
            Code::BadRequest.error("`after` is no cursor of this timeline: take one from `edges`")
        })?),
    };
    let asked = Asked {
        after: after.map(|cursor| cursor.0),
        newest_first: question.order == TimelineOrder::NewestFirst,
        limit: question.limit,
    };
    let filter = question.filter.clone().unwrap_or_default();
    let customer = question.customer;
    let (entries, more) =
        Timeline::read(customer, &asked, |entry| filter.wants(entry), |key| source.get(key))?;
    let edges: Vec<TimelineEdge> = entries
        .into_iter()
        .map(|entry| {
            let cursor = EntryCursor(Cursor(entry.place()));
            TimelineEdge { cursor, node: TimelineEntry::new(customer, entry) }
        })
        .collect();
    let page_info = PageInfo {
        has_next_page: more,
        has_previous_page: asked.after.is_some(),
        start_cursor: edges.first().map(|edge| edge.cursor.0.to_string()),
        end_cursor: edges.last().map(|edge| edge.cursor.0.to_string()),
    };
    Ok(TimelineConnection { edges: RawList(Arc::new(edges)), page_info, as_of: source.position() })
}
