//! The events that a group reads, from a place on.

use std::sync::Arc;

use cx_ledger::{Direction, Follow, RawEvent};
use cx_model::{Position, StreamName};
use jiff::Timestamp;

use super::super::fault::Fault;
use super::super::portion::READ_BYTES;
use super::super::state::Deleted;
use super::super::store::Store;

/// The events of one stream, or of all, from a place on: a revision, or a commit position.
pub(super) struct Source {
    store: Arc<Store>,
    stream: Option<StreamName>,
    next: u64,
    feed: Option<Box<dyn Follow>>,
}

impl Source {
    pub fn new(store: Arc<Store>, stream: Option<StreamName>, next: u64) -> Self {
        Self { store, stream, next, feed: None }
    }

    /// The place after the last event that was read.
    pub fn place(&self) -> u64 {
        self.next
    }

    /// Goes on from an earlier place.
    pub fn back_to(&mut self, place: u64) {
        self.next = place;
        self.feed = None;
    }

    /// The place of an event.
    pub fn place_of(&self, event: &RawEvent) -> u64 {
        if self.stream.is_some() { event.revision } else { event.position.commit() }
    }

    /// The next events, waiting for some. Cancel-safe.
    pub async fn next(&mut self, limit: usize) -> Result<Vec<RawEvent>, Fault> {
        loop {
            let ledger = self.store.ledger();
            if let Some(feed) = &mut self.feed {
                let read = feed.next(limit).await;
                if read.is_err() {
                    // It may stay at its end: another goes on from the same place.
                    self.feed = None;
                }
                let mut events = read?;
                if let Some(stream) = &self.stream {
                    let next = self.next;
                    events.retain(|event| event.stream == *stream && event.revision >= next);
                }
                if let Some(last) = events.last() {
                    self.next = self.place_of(last) + 1;
                    return Ok(events);
                }
            } else if let Some(stream) = &self.stream {
                // What is committed after this is left to the feed.
                let head = ledger.head().await?;
                let state = self.store.state(stream).await?;
                let end = self.store.last_revision(stream).await?.map_or(0, |last| last + 1);
                let first = if state.deleted == Deleted::No {
                    state.first(end.saturating_sub(1)).min(end)
                } else {
                    end
                };
                let (next, forwards) = (self.next.max(first), Direction::Forwards);
                let read = ledger.read_stream_within(stream, next, forwards, limit, READ_BYTES);
                let mut read = read.await?;
                if let Some(last) = read.last() {
                    self.next = last.revision + 1;
                    let not_before = state.not_before(Timestamp::now());
                    read.retain(|event| not_before.is_none_or(|time| event.recorded_at >= time));
                    if read.is_empty() {
                        continue;
                    }
                    return Ok(read);
                }
                self.next = next;
                self.feed = Some(ledger.follow(head));
            } else {
                self.feed = Some(ledger.follow(Position::new(self.next.saturating_sub(1))));
            }
        }
    }
}
