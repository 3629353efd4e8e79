//! Whether the keys at hand are those of the ledger, and as young as it is.
//!
//! A ledger elsewhere is used by several nodes, and the keys of one of them may be of another
//! ledger, a copy that went its own way, or older than an erasure. What was appended since the keys
//! were last looked at tells.

use std::sync::Arc;

use cx_model::{CustomerId, Event, Position};
use uuid::Uuid;

use super::{Book, BookError, PAGE};
use crate::decode::decode;
use crate::error::ReadError;
use crate::port::{Direction, RawEvent};
use crate::vault::Place;

/// So many values are opened to be sure; of the others the number of the key is looked at.
const OPENED: usize = 64;

/// The last event up to which keys were looked at: where it stands, and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReviewedTo {
    /// Where it stands.
    pub position: Position,
    /// Its id, by which the ledger is known again.
    pub id: Uuid,
}

/// What a look at the keys found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Review {
    /// Keys of customers who were erased that are alive, or were until now.
    pub alive: u64,
    /// Up to where the ledger was read; `None` if it is empty.
    pub to: Option<ReviewedTo>,
}

impl Book {
    /// Looks at the keys of what was appended after an earlier look, or of everything where the
    /// ledger does not have the event at which that ended. Fails with
    /// [`BookError::ForeignKeys`] at a value that was not sealed with these keys. Keys of customers
    /// who were erased since are destroyed if `repeat` is set, and counted in any case.
    pub async fn review_keys(
        &self,
        since: Option<ReviewedTo>,
        repeat: bool,
    ) -> Result<Review, BookError> {
        let mut review = Review { alive: 0, to: None };
        if let Some(since) = since {
            let there = self.last_up_to(since.position).await?;
            let same = |event: &RawEvent| (event.position, event.id) == (since.position, since.id);
            review.to = there.first().filter(|event| same(event)).map(|_| since);
        }
        let mut opened = 0;
        loop {
            let after = review.to.map_or(Position::START, |to| to.position);
            let page = self.ledger().read_all(after, Direction::Forwards, PAGE).await?;
            let Some(last) = page.last() else { return Ok(review) };
            let to = ReviewedTo { position: last.position, id: last.id };
            let book = self.clone();
            let (alive, so_far) =
                tokio::task::spawn_blocking(move || book.review_page(&page, opened, repeat))
                    .await
                    .map_err(|_| BookError::Stopped)??;
            review.alive += alive;
            (opened, review.to) = (so_far, Some(to));
        }
    }

    /// The event at a position that was kept, or what is before it. None where the ledger takes no
    /// such position: an event store that was exchanged refuses one that is none of its own.
    async fn last_up_to(&self, position: Position) -> Result<Vec<RawEvent>, ReadError> {
        let ledger = self.ledger();
        match ledger.read_all(position, Direction::Backwards, 1).await {
            // If it reads elsewhere, it is the position.
            Err(ReadError::Engine { .. }) => {
                let head = ledger.head().await?;
                ledger.read_all(head, Direction::Backwards, 1).await?;
                Ok(Vec::new())
            }
            there => there,
        }
    }

    fn review_page(
        &self,
        page: &[RawEvent],
        mut opened: usize,
        repeat: bool,
    ) -> Result<(u64, usize), BookError> {
        let vault = Arc::clone(self.vault());
        let mut alive = 0;
        for raw in page {
            // What nobody can decode is the concern of whoever reads it.
            let Ok(mut recorded) = decode(raw) else { continue };
            if matches!(recorded.event, Event::SubjectErased(_))
                && let Some(customer) = CustomerId::of_stream(&raw.stream)
                && customer.stream() == raw.stream
            {
                let lives = !vault.lacks_key(&[customer]) && !vault.is_erased(customer);
                alive += u64::from(lives);
                if repeat && !vault.is_erased(customer) {
                    vault.destroy(customer)?;
                }
            }
            let mut outcome = Ok(None);
            recorded.event.personal(&mut |field, value| {
                let Some(sealed) = value.sealed() else { return };
                if matches!(outcome, Err(_) | Ok(Some(false))) {
                    return;
                }
                let place = Place {
                    stream: &raw.stream,
                    event: raw.id,
                    event_type: &raw.event_type,
                    field,
                };
                outcome = vault.sealed_here(sealed, &place, opened < OPENED);
                opened += 1;
            });
            if outcome? == Some(false) {
                return Err(BookError::ForeignKeys { position: raw.position });
            }
        }
        Ok((alive, opened))
    }
}
