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

use super::moment::beyond;
use super::reading::{ledger_failed, system};
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
        #[graphql(
            desc = "Only what happened after this position of the ledger; one beyond its end is refused."
        )]
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<TimelineUpdate>> + use<>> {
        let after = after.or(ctx.data_opt::<ResumeAfter>().map(|resume| resume.0));
        let system = system(ctx);
        let reader = system.engine.reader::<Timeline>();
        let after = match after {
            Some(after) => {
                let head = system.book.ledger().head().await.map_err(ledger_failed)?;
                if after > head {
                    return Err(beyond("after", after, head));
                }
                after
            }
            None => reader.head().position,
        };
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
                    Err(error) => return Some((Err(ledger_failed(error)), (engine, every, told))),
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
            let page = read.await.map_err(ledger_failed)?;
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

#[cfg(test)]
mod tests {
    use cx_ledger::{Append, Expected, MemoryLedger, RawNewEvent};
    use cx_model::event::CaseAcknowledged;
    use cx_model::{Actor, CaseId, Envelope, Event};
    use cx_projections::Head;
    use tokio::sync::watch;
    use uuid::Uuid;

    use super::*;

    fn step(n: u128) -> RawNewEvent {
        let event = Event::from(CaseAcknowledged { case: CaseId(Uuid::from_u128(n)) });
        let actor = Actor::System { name: "test".into() };
        let bytes =
            cx_model::encode(&Envelope::new(jiff::Timestamp::now(), actor), &event).unwrap();
        RawNewEvent {
            id: Uuid::from_u128(n),
            event_type: event.event_type().into(),
            data: bytes.data.into(),
            metadata: bytes.metadata.into(),
        }
    }

    #[tokio::test]
    async fn events_the_view_does_not_show_yet_are_waited_for_however_many_they_are() {
        let customer = CustomerId(Uuid::from_u128(1));
        let ledger = MemoryLedger::new();
        let mut positions = Vec::new();
        for n in 0..(PAGE as u128 * 2 + 50) {
            let stream = customer.stream();
            let append = Append { stream, expected: Expected::Any, events: vec![step(n)] };
            positions.push(ledger.append(append).await.unwrap().position);
        }
        let head = |position| Head { position, ..Head::default() };
        let (view, shown) = watch::channel(head(positions[9]));
        let mut follow = Following {
            ledger: Arc::new(ledger),
            shown,
            customer,
            after: Position::START,
            revision: None,
            waiting: Vec::new().into_iter(),
        };
        for position in &positions[..10] {
            assert_eq!(follow.next().await.unwrap().unwrap().position, *position);
        }
        {
            let mut next = std::pin::pin!(follow.next());
            assert!(futures::poll!(next.as_mut()).is_pending(), "it waits, and does not spin");
            view.send_replace(head(*positions.last().unwrap()));
            assert_eq!(next.await.unwrap().unwrap().position, positions[10]);
        }
        for position in &positions[11..] {
            assert_eq!(follow.next().await.unwrap().unwrap().position, *position);
        }
        drop(view);
        assert!(follow.next().await.is_none(), "the engine ended");
    }
}
