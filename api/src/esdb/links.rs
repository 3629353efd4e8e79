//! Links: events that point at others.

use cx_ledger::{Direction, RawEvent};
use cx_model::StreamName;

use super::event::{Ids, wire};
use super::fault::Fault;
use super::state::{Deleted, LINK};
use super::store::Store;
use super::wire::streams::{EventPosition, ReadEvent};

/// Follows links, or does not.
pub(super) struct Links<'a> {
    store: &'a Store,
    ids: Ids,
    resolve: bool,
}

impl<'a> Links<'a> {
    pub fn new(store: &'a Store, ids: Ids, resolve: bool) -> Self {
        Self { store, ids, resolve }
    }

    /// An event as it is told; where it is a link that is followed, with what it points at.
    pub async fn follow(&mut self, event: &RawEvent) -> Result<ReadEvent, Fault> {
        let position = Some(EventPosition::Commit(event.position.commit()));
        let itself = Some(wire(event, self.ids));
        if !self.resolve || &*event.event_type != LINK {
            return Ok(ReadEvent { event: itself, link: None, position });
        }
        let target = self.target(event).await?;
        let event = target.map(|target| wire(&target, self.ids));
        Ok(ReadEvent { event, link: itself, position })
    }

    /// What a link points at, if it is still there.
    pub async fn target(&self, link: &RawEvent) -> Result<Option<RawEvent>, Fault> {
        let Some((revision, stream)) = parse(&link.data) else { return Ok(None) };
        if self.store.state(&stream).await?.deleted != Deleted::No {
            return Ok(None);
        }
        let ledger = self.store.ledger();
        let read = ledger.read_stream(&stream, revision, Direction::Forwards, 1).await?;
        Ok(read.into_iter().next().filter(|event| event.revision == revision))
    }
}

/// The revision and the stream in `revision@stream`.
fn parse(data: &[u8]) -> Option<(u64, StreamName)> {
    let (revision, stream) = std::str::from_utf8(data).ok()?.split_once('@')?;
    Some((revision.parse().ok()?, StreamName::new(stream).ok()?))
}
