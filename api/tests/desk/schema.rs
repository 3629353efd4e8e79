//! A small schema with the shape of the real one, kept in memory: what the transport is tried on.

#![allow(clippy::unwrap_used, clippy::unused_async)] // a test may panic; resolvers are async

use std::sync::{Arc, Mutex};

use async_graphql::{Context, Enum, ID, InputObject, Object, Schema, SimpleObject, Subscription};
use cx_api::errors::{Code, internal};
use cx_api::positions::{ReadPositions, ResumeAfter};
use cx_model::Position;
use futures::Stream;
use tokio::sync::watch;

/// One thing that happened to a customer.
#[derive(Debug, Clone, SimpleObject)]
pub struct Entry {
    pub id: ID,
    pub kind: String,
    pub occurred_at: String,
    #[graphql(skip)]
    customer: String,
    #[graphql(skip)]
    position: u64,
}

/// The ledger of the small schema.
#[derive(Debug, Clone)]
pub struct Desk {
    entries: Arc<Mutex<Vec<Entry>>>,
    head: watch::Sender<u64>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { entries: Arc::default(), head: watch::Sender::new(0) }
    }
}

impl Desk {
    pub fn record(&self, customer: &str, kind: &str) -> (u64, Entry) {
        let mut entries = self.entries.lock().unwrap();
        let position = entries.len() as u64 + 1;
        let entry = Entry {
            id: ID(format!("entry-{position}")),
            kind: kind.into(),
            occurred_at: "2026-01-02T03:04:05Z".into(),
            customer: customer.into(),
            position,
        };
        entries.push(entry.clone());
        self.head.send_replace(position);
        (position, entry)
    }

    pub fn head(&self) -> Position {
        Position::new(*self.head.borrow())
    }

    fn of(&self, customer: &str, after: u64, limit: usize) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap();
        let of = entries.iter().filter(|e| e.customer == customer && e.position > after);
        of.take(limit).cloned().collect()
    }
}

#[derive(SimpleObject)]
struct Edge {
    cursor: String,
    node: Entry,
}

#[derive(SimpleObject)]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(SimpleObject)]
struct Connection {
    edges: Vec<Edge>,
    page_info: PageInfo,
}

#[derive(SimpleObject)]
struct ViewStatus {
    view: String,
    position: Position,
}

/// A thing that holds things, for documents that nest.
pub struct Thing;

#[Object]
impl Thing {
    async fn name(&self) -> &str {
        "a thing"
    }

    async fn thing(&self) -> Self {
        Self
    }

    async fn may_fail(&self) -> Option<async_graphql::Result<i32>> {
        Some(Err(Code::NotFound.error("there is no such thing")))
    }

    async fn must_not_fail(&self) -> async_graphql::Result<i32> {
        Err(internal("the cellar of Ada Lovelace is flooded"))
    }

    async fn maybe(&self) -> Option<Self> {
        Some(Self)
    }

    async fn echo(&self, text: Option<String>, list: Option<Vec<i32>>) -> String {
        format!("{}{}", text.unwrap_or_default(), list.unwrap_or_default().len())
    }

    async fn things(&self, #[graphql(default = 2)] first: usize) -> Vec<Self> {
        (0..first.min(100)).map(|_| Self).collect()
    }
}

pub struct Query;

#[Object]
impl Query {
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        customer: ID,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection> {
        let desk = ctx.data::<Desk>()?;
        ctx.data::<ReadPositions>()?.report(desk.head());
        let after = after.and_then(|text| text.parse().ok()).unwrap_or(0);
        let limit = usize::try_from(first.unwrap_or(50))?;
        let mut found = desk.of(&customer, after, limit + 1);
        let has_next_page = found.len() > limit;
        found.truncate(limit);
        let edges: Vec<Edge> = found
            .into_iter()
            .map(|node| Edge { cursor: node.position.to_string(), node })
            .collect();
        let end_cursor = edges.last().map(|edge| edge.cursor.clone());
        Ok(Connection { edges, page_info: PageInfo { has_next_page, end_cursor } })
    }

    async fn projection_status(&self, ctx: &Context<'_>) -> Vec<ViewStatus> {
        let position = ctx.data_unchecked::<Desk>().head();
        vec![ViewStatus { view: "timeline".into(), position }]
    }

    async fn at_least(&self, ctx: &Context<'_>) -> Option<Position> {
        ctx.data_unchecked::<cx_api::positions::AtLeast>().0
    }

    async fn thing(&self) -> Thing {
        Thing
    }

    async fn maybe(&self) -> Option<Thing> {
        Some(Thing)
    }

    async fn position(&self, at: Position) -> Position {
        at
    }

    async fn for_ever(&self) -> i32 {
        std::future::pending::<()>().await;
        0
    }

    async fn panics(&self) -> i32 {
        let none: Vec<i32> = Vec::new();
        none[std::hint::black_box(7)]
    }

    async fn stale(&self) -> async_graphql::Result<Option<i32>> {
        let message = "the view is not there yet";
        Err(Code::Stale.error_with(message, [("required", "9".into()), ("current", "7".into())]))
    }
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum CustomerKind {
    Person,
    Organisation,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Phone,
    Email,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum Initiator {
    Customer,
    Organisation,
}

#[derive(InputObject)]
struct RegisterCustomerInput {
    kind: CustomerKind,
    name: Option<String>,
    idempotency_key: Option<String>,
}

#[derive(InputObject)]
struct RecordInteractionInput {
    customer: ID,
    kind: String,
    channel: Channel,
    direction: Direction,
    initiator: Initiator,
    idempotency_key: Option<String>,
}

#[derive(SimpleObject)]
struct UserError {
    code: String,
    message: String,
}

#[derive(SimpleObject)]
struct Customer {
    id: ID,
}

#[derive(SimpleObject)]
struct Written {
    position: Position,
    duplicate: bool,
    errors: Vec<UserError>,
    customer: Option<Customer>,
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn register_customer(&self, ctx: &Context<'_>, input: RegisterCustomerInput) -> Written {
        let desk = ctx.data_unchecked::<Desk>();
        let key = input.idempotency_key.or(input.name).unwrap_or_default();
        let seed = format!("{key}{}", input.kind as u8);
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, seed.as_bytes()).to_string();
        let (position, _) = desk.record(&id, "REGISTERED");
        ctx.data_unchecked::<ReadPositions>().report(Position::new(position));
        let customer = Some(Customer { id: ID(id) });
        Written { position: Position::new(position), duplicate: false, errors: vec![], customer }
    }

    async fn record_interaction(
        &self,
        ctx: &Context<'_>,
        input: RecordInteractionInput,
    ) -> Written {
        let desk = ctx.data_unchecked::<Desk>();
        let _ = (input.channel, input.direction, input.initiator, input.idempotency_key);
        let (position, _) = desk.record(&input.customer, &input.kind);
        ctx.data_unchecked::<ReadPositions>().report(Position::new(position));
        let customer = Some(Customer { id: input.customer });
        Written { position: Position::new(position), duplicate: false, errors: vec![], customer }
    }
}

#[derive(Clone)]
struct Moved {
    entry: Entry,
}

#[Object]
impl Moved {
    async fn position(&self, ctx: &Context<'_>) -> Position {
        let position = Position::new(self.entry.position);
        ctx.data_unchecked::<ReadPositions>().report(position);
        position
    }

    async fn entry(&self) -> &Entry {
        &self.entry
    }
}

pub struct Live;

#[Subscription]
impl Live {
    async fn timeline<'a>(
        &self,
        ctx: &Context<'a>,
        customer: ID,
        after: Option<Position>,
    ) -> impl Stream<Item = Moved> + use<'a> {
        let desk = ctx.data_unchecked::<Desk>().clone();
        let resume = ctx.data_opt::<ResumeAfter>().map(|after| after.0);
        let reads = ctx.data_unchecked::<ReadPositions>().clone();
        let after = after.or(resume).unwrap_or(Position::START).commit();
        let head = desk.head.subscribe();
        futures::stream::unfold((after, head), move |(after, mut head)| {
            let (desk, customer, reads) = (desk.clone(), customer.clone(), reads.clone());
            async move {
                loop {
                    head.borrow_and_update();
                    if let Some(entry) = desk.of(&customer, after, 1).pop() {
                        let after = entry.position;
                        reads.report(Position::new(after));
                        return Some((Moved { entry }, (after, head)));
                    }
                    head.changed().await.ok()?;
                }
            }
        })
    }

    async fn flood(&self, size: usize) -> impl Stream<Item = String> {
        futures::stream::repeat_with(move || "x".repeat(size))
    }

    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        futures::stream::iter(1..=to)
    }

    async fn broken(&self) -> async_graphql::Result<futures::stream::Empty<i32>> {
        Err(Code::NotFound.error("there is nothing to follow"))
    }
}

pub type DeskSchema = Schema<Query, Mutation, Live>;

pub fn schema(desk: Desk) -> DeskSchema {
    Schema::build(Query, Mutation, Live).data(desk).disable_suggestions().finish()
}
