//! Everything that happened to one customer, in the order it happened to them.
//!
//! Entries lie in pages of at most 32, ordered by `(occurred_at, ordinal)`; a directory row names
//! each page with its first entry. A late event goes into the page it belongs to; a full page
//! splits in the middle. So an event costs one page and a customer's history reads in few rows.

mod entry;
mod pages;
mod reading;

use cx_model::{CustomerId, Event, InteractionId, Recorded, StreamName};
use serde::{Deserialize, Serialize, Serializer};

use crate::projection::{Projection, customer_lane, lane_of_customer};
use crate::rows::Rows;
use crate::shown;
pub use entry::{Entry, EntryStatus, Place, case_of};
pub use pages::Page;
use pages::insert;
pub use reading::Asked;

/// A row of the view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Timeline {
    /// Which pages there are, in order: where each begins, and its number. Page 0 is this row.
    Directory(Vec<(Place, u32)>),
    /// Entries in order.
    Page(Page),
}

impl Default for Timeline {
    fn default() -> Self {
        Self::Directory(Vec::new())
    }
}

/// Changes the entry of a type that is about a subject; newest pages first. `false` if there is none.
fn amend(
    customer: CustomerId,
    event_type: &str,
    subject: uuid::Uuid,
    rows: &mut Rows<'_, Timeline>,
    change: impl FnOnce(&mut Entry),
) -> bool {
    let is_it =
        |entry: &Entry| entry.subject == Some(subject) && entry.event_type() == Some(event_type);
    let pages = rows.get(&(customer, 0)).map(|row| row.pages().to_vec()).unwrap_or_default();
    for (_, number) in pages.iter().rev() {
        let mut entries = rows.get(&(customer, *number)).map(Timeline::entries).unwrap_or_default();
        if let Some(entry) = entries.iter_mut().find(|entry| is_it(entry)) {
            change(entry);
            rows.put(&(customer, *number), Timeline::Page(Page::of(entries)));
            return true;
        }
    }
    false
}

fn amend_interaction(
    customer: CustomerId,
    id: InteractionId,
    rows: &mut Rows<'_, Timeline>,
    change: impl FnOnce(&mut Entry),
) -> bool {
    amend(customer, "InteractionRecorded", id.0, rows, change)
}

fn amend_response(
    customer: CustomerId,
    id: cx_model::ResponseId,
    rows: &mut Rows<'_, Timeline>,
    status: EntryStatus,
) {
    amend(customer, "ResponseSubmitted", id.0, rows, |entry| entry.status = status);
}

/// Which pages there are, each with where it begins.
fn pages_from<S: Serializer>(pages: &&[(Place, u32)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Begin {
        page: u32,
        occurred_at: String,
        ordinal: u64,
    }
    let begin = |&((at, ordinal), page): &(Place, u32)| Begin {
        page,
        occurred_at: shown::moment(at),
        ordinal,
    };
    shown::shown(*pages, serializer, |pages| pages.iter().map(begin).collect::<Vec<_>>())
}

impl Projection for Timeline {
    const NAME: &'static str = "timeline";
    type Key = (CustomerId, u32);
    type View = Self;
    type Private = ();

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(key: &Self::Key) -> Option<u64> {
        Some(lane_of_customer(key.0))
    }

    fn stream_of(key: &Self::Key) -> Option<StreamName> {
        Some(key.0.stream())
    }

    fn unpacked(row: &Self) -> impl Serialize {
        #[derive(Serialize)]
        enum Unpacked<'a> {
            Directory(#[serde(serialize_with = "pages_from")] &'a [(Place, u32)]),
            Page(Vec<Entry>),
        }
        match row {
            Self::Directory(pages) => Unpacked::Directory(pages),
            Self::Page(_) => Unpacked::Page(row.entries()),
        }
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(customer) = event.customer() else { return };
        let found = match &event.event {
            Event::InteractionVoided(it) => {
                amend_interaction(customer, it.interaction, rows, |entry| {
                    entry.status = EntryStatus::Voided;
                })
            }
            Event::InteractionCorrected(it) => {
                amend_interaction(customer, it.interaction, rows, |entry| {
                    entry.status = EntryStatus::Corrected;
                    entry.channel = it.channel.or(entry.channel);
                    entry.touchpoint = it.touchpoint.or(entry.touchpoint);
                    entry.stage = it.stage.or(entry.stage);
                    entry.valence = it.valence.map(|valence| valence.score).or(entry.valence);
                })
            }
            Event::ResponseAmended(it) => {
                amend_response(customer, it.response, rows, EntryStatus::Corrected);
                false
            }
            Event::ResponseWithdrawn(it) => {
                amend_response(customer, it.response, rows, EntryStatus::Voided);
                false
            }
            _ => false,
        };
        if !found {
            insert(customer, Entry::of(event), rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use cx_model::event::{InteractionRecorded, InteractionVoided};
    use cx_model::{Channel, TouchpointId};
    use uuid::Uuid;

    use super::pages::PAGE_ENTRIES;
    use super::*;
    use crate::fold::Fold;
    use crate::given::{customer, given, happened, interaction, recorded};

    fn visit(n: u128) -> InteractionRecorded {
        let interaction = InteractionId(Uuid::from_u128(n));
        InteractionRecorded { interaction, ..crate::given::interaction(Channel::InPerson) }
    }

    fn entries(fold: &Fold<Timeline>, who: CustomerId) -> Vec<Entry> {
        let directory = fold.get(&(who, 0)).unwrap_or_default();
        let page = |(_, number): &(Place, u32)| {
            let page = fold.get(&(who, *number)).unwrap();
            assert!(!page.entries().is_empty() && page.entries().len() <= PAGE_ENTRIES);
            page.entries()
        };
        directory.pages().iter().flat_map(page).collect()
    }

    #[test]
    fn late_events_stand_where_they_happened() {
        let minutes = (0..200u64).map(|n| (n * 83) % 200);
        let history = recorded(minutes.map(|minute| {
            let time = format!("2026-01-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
            happened(customer(1), interaction(Channel::Web)).at(&time)
        }));
        let mut fold = Fold::<Timeline>::new();
        fold.fold(&history);
        let entries = entries(&fold, customer(1));
        assert_eq!(entries.len(), 200);
        assert!(entries.is_sorted_by_key(Entry::place));
    }

    #[test]
    fn a_timeline_reads_in_pages_from_both_ends() {
        let visits = (0..100).map(|_| happened(customer(1), interaction(Channel::Web)));
        let mut fold = Fold::<Timeline>::new();
        fold.fold(&recorded(visits));
        for newest_first in [false, true] {
            let mut asked = Asked { newest_first, limit: 7, after: None };
            let mut read = Vec::new();
            loop {
                let get = |key: &(CustomerId, u32)| Ok::<_, ()>(fold.get(key));
                let (page, more) = Timeline::read(customer(1), &asked, |_| true, get).unwrap();
                asked.after = page.last().map(Entry::place);
                read.extend(page.into_iter().map(|entry| entry.ordinal));
                if !more {
                    break;
                }
            }
            if newest_first {
                read.reverse();
            }
            assert_eq!(read, (1..=100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn equal_times_stand_in_the_order_of_the_ledger() {
        let time = "2026-01-01T00:00:00Z";
        let same = |_| happened(customer(1), interaction(Channel::Web)).at(time);
        let mut fold = Fold::<Timeline>::new();
        fold.fold(&recorded((0..70).map(same)));
        let ordinals: Vec<u64> = entries(&fold, customer(1)).iter().map(|e| e.ordinal).collect();
        assert_eq!(ordinals, (1..=70).collect::<Vec<_>>());
    }

    #[test]
    fn a_voided_interaction_is_shown_as_such() {
        let void = |n| InteractionVoided {
            interaction: InteractionId(Uuid::from_u128(n)),
            reason: "twice".into(),
        };
        let history = recorded([
            happened(customer(1), visit(1)),
            happened(customer(1), visit(2)),
            happened(customer(1), void(1)),
            happened(customer(1), void(9)),
        ]);
        let mut fold = Fold::<Timeline>::new();
        fold.fold(&history);
        let seen: Vec<_> =
            entries(&fold, customer(1)).iter().map(|e| (e.ordinal, e.status)).collect();
        let expected =
            [(1, EntryStatus::Voided), (2, EntryStatus::AsRecorded), (4, EntryStatus::AsRecorded)];
        assert_eq!(seen, expected, "a void of nothing known is kept as an entry of its own");
    }

    #[test]
    fn streams_of_others_are_not_on_a_timeline() {
        let touchpoint = TouchpointId(Uuid::from_u128(1));
        let retired = cx_model::event::TouchpointRetired { reason: "gone".into() };
        given::<Timeline>([happened(touchpoint, retired)]).then_rows([]);
    }

    crate::laws!(Timeline);
}
