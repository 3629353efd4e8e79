//! Whether the keys at hand are those of the ledger, and as young as it is.
//!
//! A ledger elsewhere is used by several nodes, and the keys of one of them may be of another
//! ledger, a copy that went its own way, or older than an erasure. What was appended since the keys
//! were last looked at tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use cx_model::{CustomerId, Event, Position};
use uuid::Uuid;

use super::{Book, BookError, PAGE};
use crate::decode::decode;
use crate::error::ReadError;
use crate::port::{Direction, RawEvent};
use crate::vault::{Place, SealedBy};

#[cfg(test)]
mod tests;

/// Names the position up to which values that other keys sealed are passed by.
pub const ACCEPT_KEYS: &str = "CXLEDGER_ACCEPT_KEYS";

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

/// How the keys are to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReviewHow {
    /// After an earlier look; from the beginning where the ledger does not have that event.
    pub since: Option<ReviewedTo>,
    /// Destroys keys of customers who were erased.
    pub repeat: bool,
    /// Values up to here may be sealed with other keys: the operator said so.
    pub accepted: Position,
}

/// What a look at the keys found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Review {
    /// Keys of customers who were erased that are alive, or were until now.
    pub alive: u64,
    /// Keys whose slots are damaged or wiped: the values of so many customers cannot be read.
    pub damaged: u64,
    /// Values that other keys sealed, all of which were accepted.
    pub foreign: u64,
    /// Up to where the ledger was read; `None` if it is empty.
    pub to: Option<ReviewedTo>,
    /// It was read from its beginning: it does not have the event at which an earlier look ended.
    pub anew: bool,
}

/// What was found so far.
struct Found {
    how: ReviewHow,
    alive: u64,
    damaged: BTreeSet<u64>,
    accepted: u64,
    /// The first and the last event with a value that was not accepted, and how many values.
    refused: Option<(Position, Position, u64)>,
    opened: usize,
}

impl Book {
    /// Looks at the keys of what was appended after an earlier look, or of everything where the
    /// ledger does not have the event at which that ended. Fails with
    /// [`BookError::ForeignKeys`] where values were sealed with other keys and not accepted. Keys of
    /// customers who were erased since are destroyed if `repeat` is set, and counted in any case. A
    /// damaged key is counted and no reason to fail.
    pub async fn review_keys(&self, how: ReviewHow) -> Result<Review, BookError> {
        let mut to = None;
        if let Some(since) = how.since {
            let there = self.last_up_to(since.position).await?;
            let same = |event: &RawEvent| (event.position, event.id) == (since.position, since.id);
            to = there.first().filter(|event| same(event)).map(|_| since);
        }
        let (anew, damaged) = (to.is_none(), BTreeSet::new());
        let mut found = Found { how, alive: 0, damaged, accepted: 0, refused: None, opened: 0 };
        loop {
            let after = to.map_or(Position::START, |to| to.position);
            let page = self.ledger().read_all(after, Direction::Forwards, PAGE).await?;
            let Some(last) = page.last() else { break };
            to = Some(ReviewedTo { position: last.position, id: last.id });
            let book = self.clone();
            found = tokio::task::spawn_blocking(move || {
                book.review_page(&page, &mut found).map(|()| found)
            })
            .await
            .map_err(|_| BookError::Stopped)??;
        }
        match found.refused {
            Some((first, last, values)) => Err(BookError::ForeignKeys { first, last, values }),
            None => Ok(Review {
                alive: found.alive,
                damaged: found.damaged.len() as u64,
                foreign: found.accepted,
                to,
                anew,
            }),
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

    fn review_page(&self, page: &[RawEvent], found: &mut Found) -> Result<(), BookError> {
        let vault = Arc::clone(self.vault());
        for raw in page {
            // What nobody can decode is the concern of whoever reads it.
            let Ok(mut recorded) = decode(raw) else { continue };
            if matches!(recorded.event, Event::SubjectErased(_))
                && let Some(customer) = CustomerId::of_stream(&raw.stream)
                && customer.stream() == raw.stream
            {
                let lives = !vault.lacks_key(&[customer]) && !vault.is_erased(customer);
                found.alive += u64::from(lives);
                // Nothing is changed in a key store that is another ledger's.
                if found.how.repeat && found.refused.is_none() && !vault.is_erased(customer) {
                    vault.destroy(customer)?;
                }
            }
            let mut outcome = Ok(());
            recorded.event.personal(&mut |field, value| {
                let Some(sealed) = value.sealed() else { return };
                if outcome.is_err() {
                    return;
                }
                let (stream, event, event_type) = (&raw.stream, raw.id, &*raw.event_type);
                let place = Place { stream, event, event_type, field };
                match vault.sealed_by(sealed, &place, found.opened < OPENED) {
                    Ok(by) => found.take(raw.position, by),
                    Err(error) => outcome = Err(error),
                }
            });
            outcome?;
        }
        Ok(())
    }
}

impl Found {
    fn take(&mut self, position: Position, by: SealedBy) {
        self.opened += 1;
        match by {
            SealedBy::TheseKeys | SealedBy::Destroyed => {}
            SealedBy::Damaged { number } => {
                self.damaged.insert(number);
            }
            SealedBy::OtherKeys if position <= self.how.accepted => self.accepted += 1,
            SealedBy::OtherKeys => {
                let (first, _, values) = self.refused.unwrap_or((position, position, 0));
                self.refused = Some((first, position, values + 1));
            }
        }
    }
}
