//! Everything that can be asked.

// One argument for each thing that can be asked: they are the schema.
#![allow(clippy::too_many_arguments)]

use async_graphql::{Context, ID, Interface, Object, Result, SimpleObject};
use cx_model::{CustomerId, InstrumentId, Position, TouchpointId};
use cx_projections::Scan;
use cx_projections::views::{Instrument as InstrumentRow, Timeline, Touchpoint as TouchpointRow};
use jiff::{SignedDuration, Timestamp};

use super::cases::{self, CaseFilter, CaseQuestion, OpenCaseConnection};
use super::catalogue::{Instrument, Touchpoint};
use super::customer::{self, Customer, CustomerBy};
use super::event::LedgerEvent;
use super::explain::{self, ExplanationConnection};
use super::moment::AsOf;
use super::paging;
use super::quality::{self, DataQuality};
use super::reading::{self, Standing, system};
use super::satisfaction::{
    self, NpsInterval, ResponsePolicy, SatisfactionDimension, SatisfactionFigure,
    SatisfactionFilter, SatisfactionQuestion,
};
use super::scalars::{DateTime, Duration};
use super::status::ProjectionStatus;
use super::timeline::{
    self, TimelineConnection, TimelineEntry, TimelineFilter, TimelineOrder, TimelineQuestion,
};
use crate::errors::Code;

/// How much time an open case has when nobody says.
const CASE_TARGET: SignedDuration = SignedDuration::from_hours(72);

/// The ledger itself.
#[derive(Debug, Clone, SimpleObject)]
pub struct LedgerStatus {
    /// The position of its last event.
    pub head: Position,
    /// It takes appends.
    pub writable: bool,
}

/// Something with a global id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its global id."))]
pub enum Node {
    /// A customer.
    Customer(Box<Customer>),
    /// A touchpoint.
    Touchpoint(Touchpoint),
    /// A questionnaire.
    Instrument(Instrument),
    /// An entry of a timeline.
    TimelineEntry(Box<TimelineEntry>),
}

/// Everything that can be asked.
#[derive(Default)]
pub struct QueryRoot;

#[Object(name = "QueryRoot")]
impl QueryRoot {
    /// Everything that happened to one customer, in the order it happened to them: voided and corrected entries are shown as such.
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose.")] customer: CustomerId,
        #[graphql(desc = "At most so many entries, 0 to 100 (auditors 1,000); 50 if left out.")]
        first: Option<i32>,
        #[graphql(desc = "Only entries behind this cursor.")] after: Option<String>,
        #[graphql(desc = "Which entries.")] filter: Option<TimelineFilter>,
        #[graphql(default, desc = "Which end comes first.")] order: TimelineOrder,
        #[graphql(desc = "As it stood at a position or time of the ledger.")] as_of: Option<AsOf>,
    ) -> Result<TimelineConnection> {
        let limit = paging::limit(ctx, first)?;
        let question = TimelineQuestion { customer, limit, after, filter, order };
        reading::read_as_of::<Timeline, _>(ctx, customer, as_of, |source| {
            timeline::page(&question, source)
        })
        .await
    }

    /// One customer at a glance; null if nobody heard of them.
    async fn customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How to find them.")] by: CustomerBy,
        #[graphql(desc = "As they stood at a position or time of the ledger.")] as_of: Option<AsOf>,
    ) -> Result<Option<Customer>> {
        let id = match by {
            CustomerBy::Id(id) => id,
            CustomerBy::Identifier(known) => {
                let book = &system(ctx).book;
                let owner = book.holder(&known.scheme, &known.value).await;
                match owner.map_err(reading::book_failed)? {
                    Some(id) => id,
                    None => return Ok(None),
                }
            }
        };
        customer::read(ctx, id, as_of).await
    }

    /// How satisfied customers are: one figure for each group of answers, with its interval, its definition and the evidence behind it.
    async fn satisfaction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which answers count.")] filter: Option<SatisfactionFilter>,
        #[graphql(default, desc = "What figures are told apart by; metric and scale always are.")]
        by: Vec<SatisfactionDimension>,
        #[graphql(
            desc = "Also told apart by the value of this attribute of the responses; those that do not have it are a group of their own. An attribute that no response has is refused with the names there are."
        )]
        by_attribute: Option<String>,
        #[graphql(default, desc = "How several responses of one customer in one month count.")]
        policy: ResponsePolicy,
        #[graphql(default, desc = "Whether survey weights count.")] weighted: bool,
        #[graphql(default, desc = "Which interval stands beside an NPS.")] interval: NpsInterval,
        #[graphql(
            desc = "As it stood at a position or time of the ledger: from a side generation that `cxledger past --at` made."
        )]
        as_of: Option<AsOf>,
    ) -> Result<Vec<SatisfactionFigure>> {
        let filter = filter.unwrap_or_default();
        let question =
            SatisfactionQuestion { filter, by, by_attribute, policy, weighted, interval };
        let standing = Standing::at(ctx, as_of).await?;
        satisfaction::figures(ctx, &question, &standing).await
    }

    /// The cases that are open.
    async fn open_cases(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] filter: Option<CaseFilter>,
        #[graphql(desc = "The time at which ages and deadlines are worked out; now if left out.")]
        at: Option<DateTime>,
        #[graphql(desc = "How much time a case has; `PT72H` if left out.")] target: Option<
            Duration,
        >,
        #[graphql(desc = "At most so many, 0 to 100 (auditors 1,000); 50 if left out.")]
        first: Option<i32>,
        #[graphql(desc = "Only cases behind this cursor.")] after: Option<String>,
        #[graphql(
            desc = "As it stood at a position or time of the ledger: from a side generation that `cxledger past --at` made."
        )]
        as_of: Option<AsOf>,
    ) -> Result<OpenCaseConnection> {
        let question = CaseQuestion {
            filter: filter.unwrap_or_default(),
            at: at.map_or_else(Timestamp::now, |at| at.0),
            target: target.unwrap_or(Duration(CASE_TARGET)),
            first,
            after,
        };
        let standing = Standing::at(ctx, as_of).await?;
        cases::page(ctx, &question, &standing).await
    }

    /// How the facts came in: each import with its counts.
    async fn data_quality(&self, ctx: &Context<'_>) -> Result<DataQuality> {
        quality::read(ctx).await
    }

    /// The catalogue of touchpoints.
    async fn touchpoints(&self, ctx: &Context<'_>) -> Result<Vec<Touchpoint>> {
        reading::read::<TouchpointRow, _>(ctx, |snapshot| {
            let rows = reading::scan(snapshot, &Scan::all())?;
            Ok(rows.into_iter().map(|row| Touchpoint::new(row.key, row.view)).collect())
        })
        .await
    }

    /// The questionnaires.
    async fn instruments(&self, ctx: &Context<'_>) -> Result<Vec<Instrument>> {
        reading::read::<InstrumentRow, _>(ctx, |snapshot| {
            let rows = reading::scan(snapshot, &Scan::all())?;
            Ok(rows.into_iter().map(|row| Instrument::new(row.key, row.view)).collect())
        })
        .await
    }

    /// Why a row of a view is what it is: every event behind it, with the row before and after.
    async fn explain(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The view's name, such as `customer` or `open_cases`.")] view: String,
        #[graphql(desc = "The row's key; several parts are joined by `/`.")] key: String,
        #[graphql(desc = "At most so many events, 0 to 100 (auditors 1,000); 50 if left out.")]
        first: Option<i32>,
        #[graphql(desc = "Only events behind this cursor.")] after: Option<String>,
    ) -> Result<ExplanationConnection> {
        explain::page(ctx, &view, &key, first, after).await
    }

    /// An event of the ledger; null if there is none at this position.
    async fn event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its position.")] position: Position,
    ) -> Result<Option<LedgerEvent>> {
        LedgerEvent::of_position(ctx, position).await
    }

    /// How each view is doing.
    async fn projection_status(&self, ctx: &Context<'_>) -> Result<Vec<ProjectionStatus>> {
        reading::all_at_least(ctx).await?;
        let status = system(ctx).engine.status().await.map_err(reading::ledger_failed)?;
        Ok(status.into_iter().map(ProjectionStatus::from).collect())
    }

    /// The ledger itself.
    async fn ledger(&self, ctx: &Context<'_>) -> Result<LedgerStatus> {
        let ledger = system(ctx).book.ledger();
        let head = ledger.head().await.map_err(reading::ledger_failed)?;
        let writable = ledger.health() == cx_ledger::Health::Writable;
        Ok(LedgerStatus { head, writable })
    }

    /// Something by its global id; null if there is no such thing.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Result<Option<Node>> {
        node(ctx, &id).await
    }

    /// Several things by their global ids, in the same order; null where there is no such thing.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Their ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > 100 {
            return Err(Code::TooCostly.error("ask for at most 100 ids at once"));
        }
        let mut nodes = Vec::with_capacity(ids.len());
        for id in &ids {
            nodes.push(node(ctx, id).await?);
        }
        Ok(nodes)
    }
}

async fn node(ctx: &Context<'_>, id: &str) -> Result<Option<Node>> {
    if let Some((customer, place)) = timeline::entry_of_id(id) {
        let entry = reading::read_as_of::<Timeline, _>(ctx, customer, None, |source| {
            let before = (place.0, place.1.saturating_sub(1));
            let asked = cx_projections::views::timeline::Asked {
                after: Some(before),
                newest_first: false,
                limit: 1,
            };
            let (entries, _) = Timeline::read(customer, &asked, |_| true, |key| source.get(key))?;
            Ok(entries.into_iter().find(|entry| entry.place() == place))
        });
        let entry = entry.await?.map(|entry| TimelineEntry::new(customer, entry));
        return Ok(entry.map(|entry| Node::TimelineEntry(Box::new(entry))));
    }
    let of_kind = |kind: &str| id.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-'));
    if of_kind(CustomerId::CATEGORY)
        && let Ok(id) = id.parse()
    {
        let customer = customer::read(ctx, id, None).await?;
        return Ok(customer.map(|customer| Node::Customer(Box::new(customer))));
    }
    if of_kind(TouchpointId::CATEGORY)
        && let Ok(id) = id.parse()
    {
        return reading::read::<TouchpointRow, _>(ctx, |snapshot| {
            let row = reading::row(snapshot, &id)?;
            Ok(row.map(|row| Node::Touchpoint(Touchpoint::new(id, row.view))))
        })
        .await;
    }
    if of_kind(InstrumentId::CATEGORY)
        && let Ok(id) = id.parse()
    {
        return reading::read::<InstrumentRow, _>(ctx, |snapshot| {
            let row = reading::row(snapshot, &id)?;
            Ok(row.map(|row| Node::Instrument(Instrument::new(id, row.view))))
        })
        .await;
    }
    Ok(None)
}
