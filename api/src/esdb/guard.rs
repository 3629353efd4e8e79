//! What keeps the ledger's own streams as the model wants them.

mod home;
mod surroundings;

use cx_ledger::Book;
use cx_ledger::book::NoErasure;
use cx_ledger::vault::is_sealed_form;
use cx_model::decide::{Instrument, check_fact};
use cx_model::{CustomerId, Event, ImportId, InstrumentId, StreamName, TouchpointId, decode};
use uuid::Uuid;

use home::{has_home, home};
use surroundings::connects_only;

use super::fault::Fault;
use super::store::Proposed;
use crate::auth::{Caller, Role};
use crate::intake::LEDGERS_OWN;

/// The categories whose streams are the ledger's own.
const OWN: &[&str] = &[
    CustomerId::CATEGORY,
    TouchpointId::CATEGORY,
    InstrumentId::CATEGORY,
    ImportId::CATEGORY,
    cx_ledger::vault::IDENTIFIER_CATEGORY,
    "account",
];

/// Keeps the ledger's own streams: they take only what the model accepts, and lose nothing.
#[derive(Clone)]
pub struct Guard {
    book: Book,
}

impl Guard {
    /// Over a book.
    pub fn new(book: Book) -> Self {
        Self { book }
    }

    /// Whether a stream is the ledger's own.
    pub fn owns(&self, stream: &StreamName) -> bool {
        OWN.contains(&stream.category())
    }

    /// Keeps erasures waiting while it is held.
    pub(super) async fn no_erasure(&self) -> NoErasure<'_> {
        self.book.no_erasure().await
    }

    /// Refuses events that the model does not accept in this stream, or not from this caller.
    ///
    /// An operator may be another node that keeps its ledger here: it says what only a ledger says,
    /// and seals with keys of its own, of which the form alone can be checked. Of everybody else a
    /// sealed value must open with the keys that are here, at its place.
    pub(super) async fn check(
        &self,
        caller: &Caller,
        stream: &StreamName,
        events: &[Proposed],
    ) -> Result<(), Fault> {
        let is_ledger = caller.role == Role::Operator;
        if let Some(customer) = CustomerId::of_stream(stream)
            && self.book.vault().is_erased(customer)
        {
            let reason = "this customer was erased; nothing more is recorded of them";
            return Err(Fault::Denied(reason.into()));
        }
        for event in events {
            // Many events leave others their turn.
            tokio::task::consume_budget().await;
            if !is_ledger && LEDGERS_OWN.contains(&&*event.event_type) {
                return Err(Fault::Denied(format!(
                    "events of type {} are written by a ledger alone: use the credential of an \
                     operator for a node that keeps its ledger here",
                    event.event_type
                )));
            }
            if !event.json {
                return Err(refused(event, "its content type is not application/json"));
            }
            if !connects_only(&event.metadata) {
                let why = "its metadata may hold $correlationId and $causationId, each a UUID, \
                           $traceId and $spanId, each of hexadecimal digits, and nothing else";
                return Err(refused(event, why));
            }
            let (_, mut read) = decode(&event.event_type, &event.data, &event.metadata)
                .map_err(|error| Fault::Bad(error.to_string()))?;
            if matches!(read, Event::Unknown(_)) {
                return Err(refused(event, "the model has no such type"));
            }
            if !has_home(&read, stream) {
                let why = match home(&read) {
                    cx_ledger::vault::IDENTIFIER_CATEGORY => {
                        "claims stand in streams identifier- and 64 hexadecimal digits".to_owned()
                    }
                    home => format!(
                        "such events stand in streams {home}-UUID, the UUID in lower case and \
                         with its four hyphens"
                    ),
                };
                return Err(refused(event, &why));
            }
            self.check_fact(&read).await.map_err(|why| refused(event, &why))?;
            if !has_sealed_form(&mut read) {
                return Err(refused(event, "a personal value in it is not of the sealed form"));
            }
            if !is_ledger && !self.opens(stream, event.id, &mut read) {
                return Err(refused(event, "a personal value in it was not sealed here for it"));
            }
        }
        Ok(())
    }

    /// Whether every personal value opens at its place.
    fn opens(&self, stream: &StreamName, id: Uuid, event: &mut Event) -> bool {
        let mut opens = self.book.vault().open_event(stream, id, event).is_ok();
        // What stays sealed names a destroyed key, and this customer's is not.
        event.personal(&mut |_, value| opens &= value.sealed().is_none());
        opens
    }

    async fn check_fact(&self, event: &Event) -> Result<(), String> {
        let mut instrument = None;
        if let Event::ResponseSubmitted(response) = event {
            let state = self.book.state::<Instrument>(&response.instrument.stream()).await;
            instrument = Some(state.map_err(|error| error.to_string())?.0);
        }
        check_fact(event, |_| instrument.as_ref()).map_err(|refusal| refusal.to_string())
    }
}

/// Whether every sealed value has the form in which values are sealed.
fn has_sealed_form(event: &mut Event) -> bool {
    let mut has_form = true;
    event.personal(&mut |_, value| has_form &= value.sealed().is_none_or(is_sealed_form));
    has_form
}

fn refused(event: &Proposed, why: &str) -> Fault {
    Fault::Bad(format!(
        "an event of type {} is not taken into a stream of the ledger: {why}; streams of other \
         categories take any event",
        event.event_type
    ))
}
