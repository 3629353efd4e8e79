//! What keeps the ledger's own streams as the model wants them.

use cx_ledger::Book;
use cx_model::decide::{Instrument, check_fact};
use cx_model::{CustomerId, Event, ImportId, InstrumentId, StreamName, TouchpointId, decode};

use super::fault::Fault;
use super::store::Proposed;

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

    /// Refuses events that the model does not accept in this stream.
    pub(super) async fn check(
        &self,
        stream: &StreamName,
        events: &[Proposed],
    ) -> Result<(), Fault> {
        if let Some(customer) = CustomerId::of_stream(stream)
            && self.book.vault().is_erased(customer)
        {
            let reason = "this customer was erased; nothing more is recorded of them";
            return Err(Fault::Denied(reason.into()));
        }
        for event in events {
            if !event.json {
                return Err(refused(event, "its content type is not application/json"));
            }
            let (_, read) = decode(&event.event_type, &event.data, &event.metadata)
                .map_err(|error| Fault::Bad(error.to_string()))?;
            if matches!(read, Event::Unknown(_)) {
                return Err(refused(event, "the model has no such type"));
            }
            if !has_home(&read, stream) {
                let why = format!("such events stand in streams {}-UUID", home(&read));
                return Err(refused(event, &why));
            }
            self.check_fact(&read).await.map_err(|why| refused(event, &why))?;
        }
        Ok(())
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

fn refused(event: &Proposed, why: &str) -> Fault {
    Fault::Bad(format!(
        "an event of type {} is not taken into a stream of the ledger: {why}; streams of other \
         categories take any event",
        event.event_type
    ))
}

/// The category of the streams in which an event stands.
fn home(event: &Event) -> &'static str {
    match event {
        Event::TouchpointCatalogued(_)
        | Event::OwnerAssigned(_)
        | Event::CollectionMechanismAttached(_)
        | Event::SelfAssessmentSubmitted(_)
        | Event::TouchpointRetired(_) => TouchpointId::CATEGORY,
        Event::InstrumentPublished(_) | Event::InstrumentRetired(_) => InstrumentId::CATEGORY,
        Event::ImportStarted(_) | Event::ImportFinished(_) => ImportId::CATEGORY,
        Event::IdentifierClaimed(_) | Event::IdentifierReleased(_) => {
            cx_ledger::vault::IDENTIFIER_CATEGORY
        }
        _ => CustomerId::CATEGORY,
    }
}

fn has_home(event: &Event, stream: &StreamName) -> bool {
    let home = home(event);
    // The id of a claim is a keyed hash.
    stream.category() == home
        && (home == cx_ledger::vault::IDENTIFIER_CATEGORY || stream.id_in(home).is_some())
}
