//! Why a row is what it is.

use std::collections::{HashMap, HashSet};

use async_graphql::{ComplexObject, Context, Json, Result, SimpleObject};
use cx_model::{Event, Position, Recorded, ResponseId, StreamName};
use cx_projections::views::{Cell, Satisfaction};
use cx_projections::{AskError, Engine, ExplainError, Reason, Reasons, reasons};

use super::event::LedgerEvent;
use super::paging::{self, Cursor, PageInfo};
use super::reading::{self, system};
use super::satisfaction::SatisfactionFigure;
use super::scalars::Month;
use crate::errors::{Code, internal};

/// One event behind a row.
#[derive(Debug, Clone, SimpleObject)]
pub struct Explanation {
    /// The event.
    pub event: LedgerEvent,
    /// The row before it; null if there was none.
    pub before: Option<Json<serde_json::Value>>,
    /// The row after it; null if there is none.
    pub after: Option<Json<serde_json::Value>>,
}

/// An event and where it stands in the list.
#[derive(Debug, Clone, SimpleObject)]
pub struct ExplanationEdge {
    /// Goes into `after` to read on from here.
    pub cursor: String,
    /// The event with the row before and after.
    pub node: Explanation,
}

/// A page of the events behind a row, oldest first.
#[derive(Debug, Clone, SimpleObject)]
pub struct ExplanationConnection {
    /// The events with their cursors.
    pub edges: Vec<ExplanationEdge>,
    /// Whether there is more.
    pub page_info: PageInfo,
    /// The row as it is; null if there is none.
    pub row: Option<Json<serde_json::Value>>,
    /// The position the page is true at.
    pub as_of: Position,
}

fn failed(error: ExplainError) -> async_graphql::Error {
    match error {
        ExplainError::View(error) => reading::read_failed(error),
        ExplainError::Ledger(error) => reading::ledger_failed(error),
        ExplainError::NoStream { .. } => Code::BadRequest.error(error.to_string()),
        error => internal(error),
    }
}

type At = (u64, u64);

fn place(after: Option<&str>) -> Result<At> {
    let Some(after) = after else { return Ok((0, 0)) };
    Cursor::parse(after).map(|cursor| cursor.0).ok_or_else(|| {
        Code::BadRequest.error("`after` is no cursor of this list: take one from `edges`")
    })
}

fn edge(ctx: &Context<'_>, at: At, reason: Reason) -> Result<ExplanationEdge> {
    let node = Explanation {
        event: LedgerEvent::open(ctx, reason.event)?,
        before: reason.before.map(Json),
        after: reason.after.map(Json),
    };
    Ok(ExplanationEdge { cursor: Cursor(at).to_string(), node })
}

fn connection(
    edges: Vec<ExplanationEdge>,
    more: bool,
    began_later: bool,
    row: Option<serde_json::Value>,
    as_of: Position,
) -> ExplanationConnection {
    let page_info = PageInfo {
        has_next_page: more,
        has_previous_page: began_later,
        start_cursor: edges.first().map(|edge| edge.cursor.clone()),
        end_cursor: edges.last().map(|edge| edge.cursor.clone()),
    };
    ExplanationConnection { edges, page_info, row: row.map(Json), as_of }
}

/// Reads a page of the events behind a row.
pub async fn page(
    ctx: &Context<'_>,
    view: &str,
    key: &str,
    first: Option<i32>,
    after: Option<String>,
) -> Result<ExplanationConnection> {
    let limit = paging::limit(ctx, first)?;
    let (_, from) = place(after.as_deref())?;
    let found = reasons(&system(ctx).engine, view, key, from, limit).await;
    let Reasons { row, as_of, reasons, more } = found.map_err(|error| match error {
        AskError::Explain(error) => failed(error),
        error => Code::BadRequest.error(error.to_string()),
    })?;
    let mut edges = Vec::with_capacity(reasons.len());
    for reason in reasons {
        edges.push(edge(ctx, (0, reason.ordinal), reason)?);
    }
    Ok(connection(edges, more, after.is_some(), row, as_of))
}

/// Which responses have an attribute.
struct Bearers<'a> {
    name: &'a str,
    /// Of the streams that were looked through.
    known: HashMap<StreamName, HashSet<ResponseId>>,
}

impl<'a> Bearers<'a> {
    fn of(name: &'a str) -> Self {
        Self { name, known: HashMap::new() }
    }

    /// Whether the response that an event is about has the attribute.
    async fn bear(&mut self, engine: &Engine, event: &Recorded) -> Result<bool> {
        let response = match &event.event {
            Event::ResponseSubmitted(it) => return Ok(it.attributes.contains_key(self.name)),
            Event::ResponseAmended(it) => it.response,
            Event::ResponseWithdrawn(it) => it.response,
            _ => return Ok(false),
        };
        if !self.known.contains_key(&event.stream) {
            let history = engine.history(&event.stream, Position::new(u64::MAX)).await;
            let history = history.map_err(reading::ledger_failed)?;
            let with = history.iter().filter_map(|event| match &event.event {
                Event::ResponseSubmitted(it) if it.attributes.contains_key(self.name) => {
                    Some(it.response)
                }
                _ => None,
            });
            self.known.insert(event.stream.clone(), with.collect());
        }
        Ok(self.known[&event.stream].contains(&response))
    }
}

/// A cell of the satisfaction view, as `explain` takes it.
pub fn cell_key(cell: &Cell) -> String {
    let touchpoint = cell.touchpoint.map(|id| id.to_string()).unwrap_or_default();
    let month = Month(cell.month);
    format!("{}/{}/{touchpoint}/{}/{month}", cell.instrument, cell.question, cell.attribute)
}

#[ComplexObject]
impl SatisfactionFigure {
    /// The responses behind the figure, cell by cell (a month of a question), oldest first: each with the cell before and after it. For responses without an attribute it is the cell of all answers.
    async fn evidence(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many, 0 to 100 (auditors 1,000); 50 if left out.")]
        first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
    ) -> Result<ExplanationConnection> {
        let limit = paging::limit(ctx, first)?;
        let (mut number, mut from) = place(after.as_deref())?;
        let mut edges = Vec::new();
        let mut more = false;
        let engine = self.standing.engine(ctx);
        let mut bearers = self.without.as_deref().map(Bearers::of);
        while let Some(cell) = self.cells.get(number as usize) {
            let wanted = limit - edges.len();
            let found = engine.explain_sum::<Satisfaction>(cell, from, wanted).await;
            let found = Reasons::of(found.map_err(failed)?);
            for reason in found.reasons {
                from = reason.ordinal;
                if let Some(bearers) = &mut bearers
                    && bearers.bear(engine, &reason.event).await?
                {
                    continue;
                }
                edges.push(edge(ctx, (number, reason.ordinal), reason)?);
            }
            if found.more && edges.len() < limit {
                continue;
            }
            if found.more {
                more = true;
                break;
            }
            (number, from) = (number + 1, 0);
            if edges.len() == limit {
                // What lies in later cells is known only by looking; a cell always has evidence.
                more = self.cells.get(number as usize).is_some();
                break;
            }
        }
        Ok(connection(edges, more, after.is_some(), None, self.as_of))
    }

    /// The keys of the cells the figure adds up, as `explain(view: "satisfaction", key: …)` takes them.
    async fn cells(&self) -> Vec<String> {
        self.cells.iter().map(cell_key).collect()
    }
}
