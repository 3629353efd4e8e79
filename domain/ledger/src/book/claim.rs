//! From an identifier to a customer: of two who claim one, the first gets it.

use std::collections::HashMap;

use cx_model::event::IdentifierClaimed;
use cx_model::{Actor, CustomerId, Envelope, Event, NewEvent, StreamName};
use jiff::Timestamp;

use super::{ATTEMPTS, Book, BookError, Entry, random_id, seal_now};
use crate::decode::decode;
use crate::error::AppendError;
use crate::port::{Direction, Expected};

/// Claims appended at a time.
const BATCH: usize = 1024;

/// An identifier that somebody wants to know the customer of.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The scheme, such as `email` or `crm`.
    pub scheme: &'a str,
    /// The value.
    pub value: &'a str,
    /// Who gets it if it is free; a new customer if left out.
    pub customer: Option<CustomerId>,
}

/// Whose an identifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The customer. They may have been erased since: the claim stays, so that what arrives for
    /// them later is recognised and not taken for somebody new.
    pub customer: CustomerId,
    /// Nobody had it before this call.
    pub new: bool,
}

impl Book {
    /// Whose an identifier is; if nobody's, a new customer's from now on.
    pub async fn claim(&self, scheme: &str, value: &str) -> Result<Claim, BookError> {
        let claims = self.claim_many(&[Wanted { scheme, value, customer: None }]).await?;
        Ok(claims[0])
    }

    /// Whose an identifier is, without claiming it.
    pub async fn holder(&self, scheme: &str, value: &str) -> Result<Option<CustomerId>, BookError> {
        let stream = self.vault().identifier_hash(scheme, value);
        Ok(self.latest_claim(&stream).await?.0)
    }

    /// Claims many identifiers, in the order they were asked for. One that is asked for twice
    /// belongs to the first, and only the first answer says that it is new.
    pub async fn claim_many(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Claim>, BookError> {
        let mut places: HashMap<StreamName, usize> = HashMap::with_capacity(wanted.len());
        let mut unique: Vec<(StreamName, CustomerId)> = Vec::with_capacity(wanted.len());
        let mut order = Vec::with_capacity(wanted.len());
        for want in wanted {
            let stream = self.vault().identifier_hash(want.scheme, want.value);
            let place = *places.entry(stream.clone()).or_insert(unique.len());
            if place == unique.len() {
                let customer = match want.customer {
                    Some(customer) => customer,
                    None => CustomerId(random_id()?),
                };
                unique.push((stream, customer));
            }
            order.push(place);
        }
        let mut claims = Vec::with_capacity(unique.len());
        for batch in unique.chunks(BATCH) {
            claims.extend(self.claim_batch(batch).await?);
        }
        let answer = |place: usize| {
            let claim: Claim = claims[place];
            claims[place].new = false;
            claim
        };
        Ok(order.into_iter().map(answer).collect())
    }

    async fn claim_batch(
        &self,
        wanted: &[(StreamName, CustomerId)],
    ) -> Result<Vec<Claim>, BookError> {
        let mut claims = vec![None; wanted.len()];
        for attempt in 1.. {
            let (mut places, mut entries) = (Vec::new(), Vec::new());
            for (place, (stream, candidate)) in wanted.iter().enumerate() {
                if claims[place].is_some() {
                    continue;
                }
                match self.latest_claim(stream).await? {
                    (Some(customer), _) => claims[place] = Some(Claim { customer, new: false }),
                    (None, expected) => {
                        places.push(place);
                        let event = claim_event(*candidate)?;
                        entries.push(Entry {
                            stream: stream.clone(),
                            expected,
                            events: vec![event],
                        });
                    }
                }
            }
            if entries.is_empty() {
                break;
            }
            let appends = seal_now(self.vault(), entries)?;
            match self.ledger().append_many(appends).await {
                Ok(_) => {
                    for place in places {
                        claims[place] = Some(Claim { customer: wanted[place].1, new: true });
                    }
                    break;
                }
                // Somebody was faster with one of them: theirs is read, the rest tried again.
                Err(AppendError::Conflict { .. }) if attempt < ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(claims.into_iter().map(|claim| claim.expect("each was held or claimed")).collect())
    }

    /// Who holds the identifier of this stream, and what an append that claims it expects.
    async fn latest_claim(
        &self,
        stream: &StreamName,
    ) -> Result<(Option<CustomerId>, Expected), BookError> {
        let last = self.ledger().read_stream(stream, u64::MAX, Direction::Backwards, 1).await?;
        let Some(raw) = last.first() else { return Ok((None, Expected::NoStream)) };
        let mut recorded = decode(raw)?;
        self.open(&mut recorded)?;
        let holder = match &recorded.event {
            Event::IdentifierClaimed(claim) => claim.customer.clear().copied(),
            _ => None,
        };
        Ok((holder, Expected::Revision(recorded.revision)))
    }
}

fn claim_event(customer: CustomerId) -> Result<NewEvent, BookError> {
    let actor = Actor::System { name: "cxledger".into() };
    Ok(NewEvent {
        id: random_id()?,
        envelope: Envelope::new(Timestamp::now(), actor),
        event: IdentifierClaimed { customer: customer.into() }.into(),
    })
}
