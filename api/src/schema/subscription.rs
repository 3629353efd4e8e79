//! What can be subscribed to.

// async-graphql takes async functions only.
#![allow(clippy::unused_async)]

use async_graphql::{Context, Result, SimpleObject, Subscription};
use cx_ledger::{Direction, Ledger};
use cx_model::{CustomerId, Position, Recorded};
use cx_projections::views::timeline::{Entry, Timeline};
use futures::stream::{self, Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;

use super::reading::system;
use super::status::ProjectionStatus;
use super::timeline::TimelineEntry;
use crate::errors::internal;
use crate::positions::{ReadPositions, ResumeAfter};

/// Something new on a timeline.
#[derive(Debug, Clone, SimpleObject)]
pub struct TimelineUpdate {
    /// The event's position: give it as `after` to go on from here.
    pub position: Position,
    /// What happened. An event that corrects or voids an earlier entry stands here as itself.
    pub entry: TimelineEntry,
}

/// How often the status of the views is told at most.
const STATUS_EVERY: Duration = Duration::from_millis(500);
/// How many events are read at once.
const PAGE: usize = 256;

/// What can be subscribed to.
pub struct SubscriptionRoot;

/// What can be subscribed to.
#[Subscription(name = "Subscription")]
impl SubscriptionRoot {
    /// Everything that happened to a customer after a position, and then everything that happens, in the order the ledger took it. Each entry is told once the timeline view shows it. Without `after` only what is new.
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose.")] customer: CustomerId,
        #[graphql(desc = "Only what happened after this position of the ledger.")] after: Option<
            Position,
        >,
    ) -> Result<impl Stream<Item = Result<TimelineUpdate>> + use<>> {
        let after = after.or(ctx.data_opt::<ResumeAfter>().map(|resume| resume.0));
        let system = system(ctx);
        let reader = system.engine.reader::<Timeline>();
        let after = after.unwrap_or_else(|| reader.head().position);
        let positions = ctx.data_opt::<ReadPositions>().cloned();
        let ledger = Arc::clone(system.book.ledger());
        let follow = Following {
            ledger,
            shown: reader.heads(),
            customer,
            after,
            revision: None,
            waiting: Vec::new().into_iter(),
        };
        Ok(stream::unfold(follow, |mut follow| async move {
            let next = follow.next().await?;
            Some((next, follow))
        })
        .map(move |update| {
            let update = update?;
            if let Some(positions) = &positions {
                positions.report(update.position);
            }
            Ok(update)
        }))
    }

    /// How each view is doing: at once, and then whenever it changes, at most twice a second.
    async fn projection_status(
        &self,
        ctx: &Context<'_>,
    ) -> Result<impl Stream<Item = Result<Vec<ProjectionStatus>>> + use<>> {
        let engine = Arc::clone(&system(ctx).engine);
        let mut every = tokio::time::interval(STATUS_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let told: Option<Vec<(Position, String)>> = None;
        Ok(stream::unfold((engine, every, told), |(engine, mut every, mut told)| async move {
            loop {
                every.tick().await;
                let status = match engine.status().await {
                    Ok(status) => status,
                    Err(error) => return Some((Err(internal(error)), (engine, every, told))),
                };
                let now: Vec<_> = status
                    .iter()
                    .map(|view| (view.position, format!("{:?}", view.state)))
                    .collect();
                if told.as_ref() == Some(&now) {
                    continue;
                }
                told = Some(now);
                let status = status.into_iter().map(ProjectionStatus::from).collect();
                return Some((Ok(status), (engine, every, told)));
            }
        }))
    }
}

/// One customer's stream, followed at the pace of the timeline view.
struct Following {
    ledger: Arc<dyn Ledger>,
    /// How far the view is: a head that comes while we read wakes us afterwards.
    shown: tokio::sync::watch::Receiver<cx_projections::Head>,
    customer: CustomerId,
    after: Position,
    /// The next revision to read, once known.
    revision: Option<u64>,
    waiting: std::vec::IntoIter<Recorded>,
}

impl Following {
    async fn next(&mut self) -> Option<Result<TimelineUpdate>> {
        loop {
            if let Some(event) = self.waiting.next() {
                self.after = event.position;
                let entry = TimelineEntry::new(self.customer, Entry::of(&event));
                return Some(Ok(TimelineUpdate { position: event.position, entry }));
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => self.wait().await?,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Reads what the view shows already; `false` if there is nothing.
    async fn read(&mut self) -> Result<bool> {
        let shown = self.shown.borrow_and_update().position;
        let stream = self.customer.stream();
        let mut from = self.revision.unwrap_or(0);
        let mut found = Vec::new();
        loop {
            let read = self.ledger.read_stream(&stream, from, Direction::Forwards, PAGE);
            let page = read.await.map_err(internal)?;
            let mut more = page.len() == PAGE;
            for raw in page {
                if raw.position > shown {
                    more = false;
                    break;
                }
                from = raw.revision + 1;
                if raw.position > self.after {
                    found.push(cx_ledger::decode(&raw).map_err(internal)?);
                }
            }
            if !more || !found.is_empty() {
                break;
            }
        }
        self.revision = Some(from);
        self.waiting = found.into_iter();
        Ok(self.waiting.len() > 0)
    }

    /// Until the view has gone on; `None` when the engine ends.
    async fn wait(&mut self) -> Option<()> {
        self.shown.changed().await.ok()
    }
}
