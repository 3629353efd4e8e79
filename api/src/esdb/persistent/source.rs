//! The events that a group reads, from a place on.

use std::sync::Arc;

use cx_ledger::{Direction, Follow, RawEvent, ReadError};
use cx_model::{Position, StreamName};

use super::super::portion::READ_BYTES;
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
    pub async fn next(&mut self, limit: usize) -> Result<Vec<RawEvent>, ReadError> {
        loop {
            let ledger = self.store.ledger();
            if let Some(feed) = &mut self.feed {
                let mut events = feed.next(limit).await?;
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
                let (next, forwards) = (self.next, Direction::Forwards);
                let read = ledger.read_stream_within(stream, next, forwards, limit, READ_BYTES);
                let read = read.await?;
                if let Some(last) = read.last() {
                    self.next = last.revision + 1;
                    return Ok(read);
                }
                self.feed = Some(ledger.follow(head));
            } else {
                self.feed = Some(ledger.follow(Position::new(self.next.saturating_sub(1))));
            }
        }
    }
}
