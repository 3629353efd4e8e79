//! Where an event of the ledger's own stands.

use cx_model::{CustomerId, Event, ImportId, InstrumentId, StreamName, TouchpointId};

/// The category of the streams in which an event stands.
pub(super) fn home(event: &Event) -> &'static str {
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

/// Whether the stream is one in which the event stands, by the one name that it has.
pub(super) fn has_home(event: &Event, stream: &StreamName) -> bool {
    let home = home(event);
    if home == cx_ledger::vault::IDENTIFIER_CATEGORY {
        // The id of a claim is a keyed hash.
        let hash = stream.as_str().strip_prefix(home).and_then(|rest| rest.strip_prefix('-'));
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        return hash.is_some_and(|hash| hash.len() == 64 && hash.bytes().all(digit));
    }
    stream.id_in(home).is_some_and(|id| StreamName::of(home, id) == *stream)
}
