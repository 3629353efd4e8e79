//! Erasing a customer: the key goes, the events stay.

use std::sync::Arc;

use cx_model::event::{ErasureRequested, SubjectErased};
use cx_model::{Actor, CustomerId, Envelope, Event, NewEvent, Position};
use jiff::Timestamp;

use super::{Book, BookError, Entry, seal_now};
use crate::port::{Appended, Direction, Expected};

/// A customer was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// Where `SubjectErased` stands.
    pub position: Position,
    /// It had been done before.
    pub repeated: bool,
}

impl Book {
    /// Erases a customer: records the request, destroys the key, records that it is gone.
    ///
    /// The order is such that `SubjectErased` is never said too early: a crash in between leaves a
    /// request without it, and erasing again finishes the work. Nothing but these two events is
    /// recorded of the customer afterwards. Claims of their identifiers stay (they name a random id
    /// only), so that what arrives late is recognised and refused.
    pub async fn erase(
        &self,
        customer: CustomerId,
        reason: &str,
        actor: Actor,
    ) -> Result<Erasure, BookError> {
        let _alone = self.gate.write().await;
        let stream = customer.stream();
        let (mut known, mut requested, mut erased) = (false, false, None);
        self.read_from(&stream, 0, |event| {
            known = true;
            match event.event {
                Event::ErasureRequested(_) => requested = true,
                Event::SubjectErased(_) => erased = Some(event.position),
                _ => {}
            }
        })
        .await?;
        if !known && self.vault().lacks_key(&[customer]) {
            return Err(BookError::UnknownCustomer { customer });
        }
        if !requested && erased.is_none() {
            let event = ErasureRequested { channel: None };
            self.tombstone(customer, "erasure-requested", event.into(), &actor).await?;
        }
        let vault = Arc::clone(self.vault());
        tokio::task::spawn_blocking(move || vault.destroy(customer))
            .await
            .map_err(|_| BookError::Stopped)??;
        if let Some(position) = erased {
            return Ok(Erasure { position, repeated: true });
        }
        let event = SubjectErased { reason: reason.to_owned() };
        let said = self.tombstone(customer, "subject-erased", event.into(), &actor).await?;
        Ok(Erasure { position: said.position, repeated: said.repeated })
    }

    /// Destroys the keys of all customers of whom the ledger says `SubjectErased`: to be called
    /// after a key store was restored from a backup that is older than the erasures. Says how many
    /// keys it found alive.
    pub async fn repeat_erasures(&self) -> Result<u64, BookError> {
        let (mut after, mut alive) = (Position::START, 0);
        loop {
            let page = self.ledger().read_all(after, Direction::Forwards, super::PAGE).await?;
            let Some(last) = page.last() else { return Ok(alive) };
            after = last.position;
            for raw in &page {
                if &*raw.event_type != "SubjectErased" {
                    continue;
                }
                let customer = CustomerId::of_stream(&raw.stream);
                if let Some(customer) = customer.filter(|named| named.stream() == raw.stream) {
                    alive += u64::from(self.vault().destroy(customer)?);
                }
            }
        }
    }

    /// Appends what may still be said of an erased customer. Its id follows from the customer and
    /// the ledger's secret: it is said once, and nobody can take the id before and so prevent it.
    async fn tombstone(
        &self,
        customer: CustomerId,
        what: &str,
        event: Event,
        actor: &Actor,
    ) -> Result<Appended, BookError> {
        let id = self.vault().keyed_id(what, &[customer.0.as_bytes()]);
        let envelope = Envelope::new(Timestamp::now(), actor.clone());
        let events = vec![NewEvent { id, envelope, event }];
        let entry = Entry { stream: customer.stream(), expected: Expected::Any, events };
        let mut appends = seal_now(self.vault(), vec![entry])?;
        let append = appends.pop().expect("one entry gives one append");
        Ok(self.ledger().append(append).await?)
    }
}
