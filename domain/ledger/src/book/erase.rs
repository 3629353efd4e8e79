//! Erasing a customer: the key goes, the events stay.

use std::sync::Arc;

use cx_model::event::{ErasureRequested, SubjectErased};
use cx_model::{Actor, CustomerId, Envelope, Event, NewEvent, Position};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::{Book, BookError, Entry, seal_now};
use crate::port::{Appended, Direction, Expected};

/// Streams that are looked at together.
const AT_ONCE: usize = 16;
/// Why a customer is said to be erased of whom only the keys knew it.
const KEYS_KNEW: &str = "the key was destroyed before, and the ledger did not say so";

/// A customer was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// Where `SubjectErased` stands.
    pub position: Position,
    /// It had been done before.
    pub repeated: bool,
}

/// What the events of a customer say of their erasure.
#[derive(Default)]
struct Told {
    known: bool,
    requested: bool,
    erased: Option<Position>,
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
        let told = self.told(customer).await?;
        if !told.known && self.vault().lacks_key(&[customer]) {
            return Err(BookError::UnknownCustomer { customer });
        }
        if !told.requested && told.erased.is_none() {
            let event = ErasureRequested { channel: None };
            self.tombstone(customer, "erasure-requested", event.into(), &actor).await?;
        }
        let vault = Arc::clone(self.vault());
        tokio::task::spawn_blocking(move || vault.destroy(customer))
            .await
            .map_err(|_| BookError::Stopped)??;
        if let Some(position) = told.erased {
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

    /// Says of all customers whose keys are destroyed that they are erased, where the ledger knows
    /// them and does not say so: after a ledger was restored from a backup that is older than the
    /// erasures, or an erasure was cut off. Of whom it does not know nothing is said. Says of how
    /// many it did.
    pub async fn say_erasures(&self) -> Result<u64, BookError> {
        let vault = Arc::clone(self.vault());
        let erased = tokio::task::spawn_blocking(move || vault.erased())
            .await
            .map_err(|_| BookError::Stopped)??;
        let looks = stream::iter(erased).map(|customer| async move {
            Ok::<_, BookError>((customer, self.keeps_quiet(customer).await?))
        });
        let looks = looks.buffered(AT_ONCE);
        let quiet: Vec<CustomerId> = looks
            .try_filter_map(|(customer, quiet)| async move { Ok(quiet.then_some(customer)) })
            .try_collect()
            .await?;
        let mut said = 0;
        for customer in quiet {
            let actor = Actor::System { name: "cxledger".into() };
            said += u64::from(!self.erase(customer, KEYS_KNEW, actor).await?.repeated);
        }
        Ok(said)
    }

    /// Whether the ledger knows a customer and does not say that they were erased.
    async fn keeps_quiet(&self, customer: CustomerId) -> Result<bool, BookError> {
        let stream = customer.stream();
        let last = self.ledger().read_stream(&stream, u64::MAX, Direction::Backwards, 1).await?;
        match last.first() {
            None => Ok(false),
            Some(last) if &*last.event_type == "SubjectErased" => Ok(false),
            // What another node appended in that moment may stand behind it.
            Some(_) => Ok(self.told(customer).await?.erased.is_none()),
        }
    }

    async fn told(&self, customer: CustomerId) -> Result<Told, BookError> {
        let mut told = Told::default();
        self.read_from(&customer.stream(), 0, |event| {
            told.known = true;
            match event.event {
                Event::ErasureRequested(_) => told.requested = true,
                Event::SubjectErased(_) => told.erased = Some(event.position),
                _ => {}
            }
        })
        .await?;
        Ok(told)
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
