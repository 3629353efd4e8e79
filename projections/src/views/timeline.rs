//! Everything that happened to one customer, in the order it happened to them.
//!
//! Entries lie in pages of at most 32, ordered by `(occurred_at, ordinal)`; a directory row names
//! each page with its first entry. A late event goes into the page it belongs to; a full page
//! splits in the middle. So an event costs one page and a customer's history reads in few rows.

use cx_model::event as e;
use cx_model::{
    CaseId, Channel, CustomerId, Direction, Event, InteractionId, Recorded, Stage, TouchpointId,
};
use serde::{Deserialize, Serialize};

use cx_model::StreamName;

use crate::projection::{Projection, customer_lane, lane_of_customer};
use crate::rows::{Packed, Rows};

/// Entries a page holds before it splits.
const PAGE_ENTRIES: usize = 32;

/// Where an entry stands: microseconds since the Unix epoch when it occurred, then its ordinal.
pub type Place = (i64, u64);

/// A row of the view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Timeline {
    /// Which pages there are, in order: where each begins, and its number. Page 0 is this row.
    Directory(Vec<(Place, u32)>),
    /// Entries in order.
    Page(Page),
}

/// A page of entries, packed: most events stand after all that are known, so that an event costs
/// an append.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    count: u32,
    last: Place,
    entries: Packed<Entry>,
}

impl Page {
    fn of(entries: Vec<Entry>) -> Self {
        Self {
            count: entries.len() as u32,
            last: entries.last().map(Entry::place).unwrap_or_default(),
            entries: entries.into_iter().collect(),
        }
    }

    /// Puts an entry where it belongs; what no longer fits comes back.
    fn insert(&mut self, entry: Entry) -> Vec<Entry> {
        let place = entry.place();
        if self.count == 0 || (self.last < place && (self.count as usize) < PAGE_ENTRIES) {
            self.entries.push(&entry);
            self.last = place;
            self.count += 1;
            return Vec::new();
        }
        let mut entries: Vec<Entry> = self.entries.iter().collect();
        let at = entries.partition_point(|known| known.place() < place);
        entries.insert(at, entry);
        let moved = if entries.len() > PAGE_ENTRIES {
            entries.split_off(entries.len() / 2)
        } else {
            Vec::new()
        };
        *self = Self::of(entries);
        moved
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::Directory(Vec::new())
    }
}

/// Whether an entry still counts.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum,
)]
pub enum EntryStatus {
    /// As it was recorded.
    #[default]
    AsRecorded,
    /// Corrected later; the entry shows what is right.
    Corrected,
    /// Recorded by mistake: it never happened, or not to this customer.
    Voided,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since the Unix epoch.
    pub occurred_at: i64,
    /// The event's number in the ledger.
    pub ordinal: u64,
    /// The event's place in the customer's stream.
    pub revision: u64,
    /// Microseconds since the Unix epoch.
    pub recorded_at: i64,
    /// The event's type, as its place in the list of types; unknown types stand past its end.
    pub kind: u16,
    /// By which way.
    pub channel: Option<Channel>,
    /// Who came to whom.
    pub direction: Option<Direction>,
    /// Where in the relationship.
    pub stage: Option<Stage>,
    /// Where.
    pub touchpoint: Option<TouchpointId>,
    /// The case, interaction, response or order it is about.
    pub subject: Option<uuid::Uuid>,
    /// What kind of interaction, or how a case was resolved: a short word, never personal.
    pub label: Option<String>,
    /// How it felt, from -100 to 100.
    pub valence: Option<i16>,
    /// Whether it still counts.
    pub status: EntryStatus,
}

impl Entry {
    /// Where it stands among the customer's entries.
    pub fn place(&self) -> Place {
        (self.occurred_at, self.ordinal)
    }

    /// The event's type; `None` if this program does not know it.
    pub fn event_type(&self) -> Option<&'static str> {
        Event::TYPES.get(usize::from(self.kind)).copied()
    }

    /// The entry of an event.
    pub fn of(recorded: &Recorded) -> Self {
        let name = recorded.event.event_type();
        let kind = Event::TYPES.iter().position(|known| *known == name);
        let entry = Self {
            occurred_at: recorded.occurred_at().as_microsecond(),
            ordinal: recorded.ordinal,
            revision: recorded.revision,
            recorded_at: recorded.recorded_at.as_microsecond(),
            kind: kind.map_or(u16::MAX, |place| place as u16),
            channel: None,
            direction: None,
            stage: None,
            touchpoint: None,
            subject: None,
            label: None,
            valence: None,
            status: EntryStatus::AsRecorded,
        };
        entry.described_by(&recorded.event)
    }

    fn described_by(self, event: &Event) -> Self {
        let case = |case: CaseId, label: Option<&str>, entry: Self| Self {
            subject: Some(case.0),
            label: label.map(str::to_owned),
            stage: Some(Stage::Support),
            ..entry
        };
        match event {
            Event::InteractionRecorded(it) => Self {
                channel: Some(it.channel),
                direction: Some(it.direction),
                stage: it.stage,
                touchpoint: it.touchpoint,
                subject: Some(it.interaction.0),
                label: Some(it.kind.clone()),
                valence: it.valence.map(|valence| valence.score),
                ..self
            },
            Event::ImpressionRecorded(it) => Self {
                label: Some(it.of.as_str().to_owned()),
                valence: Some(it.valence.score),
                ..self
            },
            Event::PurchaseMade(it) => Self {
                channel: it.channel,
                stage: Some(Stage::Purchase),
                touchpoint: it.touchpoint,
                subject: Some(it.order.0),
                direction: Some(Direction::In),
                ..self
            },
            Event::OrderFulfilled(it) => Self { subject: Some(it.order.0), ..self },
            Event::ReturnMade(it) => Self { subject: Some(it.order.0), ..self },
            Event::ResponseSubmitted(it) => {
                Self { subject: Some(it.response.0), direction: Some(Direction::In), ..self }
            }
            Event::InvitationSent(it) => Self {
                subject: Some(it.instrument.0),
                touchpoint: it.touchpoint,
                direction: Some(Direction::Out),
                ..self
            },
            Event::CaseOpened(it) => Self {
                channel: it.channel,
                touchpoint: it.touchpoint,
                direction: Some(Direction::In),
                ..case(it.case, Some(it.kind.as_str()), self)
            },
            Event::CaseResolved(it) => case(it.case, Some(&it.resolution), self),
            Event::CasePaused(it) => case(it.case, Some(it.waiting_on.as_str()), self),
            Event::LifecycleStageChanged(it) => Self { stage: Some(it.to), ..self },
            other => match case_of(other) {
                Some(id) => case(id, None, self),
                None => self,
            },
        }
    }
}

/// The case a step is about.
pub fn case_of(event: &Event) -> Option<CaseId> {
    Some(match event {
        Event::CaseOpened(e::CaseOpened { case, .. })
        | Event::CaseAcknowledged(e::CaseAcknowledged { case })
        | Event::CaseAssigned(e::CaseAssigned { case, .. })
        | Event::CaseTransferred(e::CaseTransferred { case, .. })
        | Event::AgentReplied(e::AgentReplied { case, .. })
        | Event::CustomerReplied(e::CustomerReplied { case, .. })
        | Event::SolutionOffered(e::SolutionOffered { case, .. })
        | Event::CasePaused(e::CasePaused { case, .. })
        | Event::CaseResumed(e::CaseResumed { case })
        | Event::CaseEscalated(e::CaseEscalated { case, .. })
        | Event::CaseResolved(e::CaseResolved { case, .. })
        | Event::CustomerAcceptedResolution(e::CustomerAcceptedResolution { case })
        | Event::CustomerRejectedResolution(e::CustomerRejectedResolution { case })
        | Event::CaseReopened(e::CaseReopened { case, .. })
        | Event::CaseClosed(e::CaseClosed { case }) => *case,
        _ => return None,
    })
}

impl Timeline {
    fn pages(&self) -> &[(Place, u32)] {
        match self {
            Self::Directory(pages) => pages,
            Self::Page(_) => &[],
        }
    }

    fn pages_mut(&mut self) -> &mut Vec<(Place, u32)> {
        if let Self::Page(_) = self {
            *self = Self::default();
        }
        match self {
            Self::Directory(pages) => pages,
            Self::Page(_) => unreachable!("it was made a directory above"),
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Self::Directory(_) => None,
            Self::Page(page) => Some(page),
        }
    }

    fn page_mut(&mut self) -> &mut Page {
        if let Self::Directory(_) = self {
            *self = Self::Page(Page::default());
        }
        match self {
            Self::Page(page) => page,
            Self::Directory(_) => unreachable!("it was made a page above"),
        }
    }

    /// The entries of a page, in order.
    pub fn entries(&self) -> Vec<Entry> {
        self.page().map(|page| page.entries.iter().collect()).unwrap_or_default()
    }
}

/// Which entries of a timeline are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Only those behind this place, in the direction of reading.
    pub after: Option<Place>,
    /// From the newest back.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
}

impl Timeline {
    /// Reads a customer's entries, page by page: at most `asked.limit` that `wanted` lets through,
    /// and whether there are more. `get` reads a row.
    pub fn read<E>(
        customer: CustomerId,
        asked: &Asked,
        wanted: impl Fn(&Entry) -> bool,
        mut get: impl FnMut(&(CustomerId, u32)) -> Result<Option<Self>, E>,
    ) -> Result<(Vec<Entry>, bool), E> {
        let directory = get(&(customer, 0))?.unwrap_or_default();
        let pages = directory.pages();
        let from = asked.after.map(|place| page_for(pages, place));
        let mut order: Vec<&(Place, u32)> = match (from, asked.newest_first) {
            (None, _) => pages.iter().collect(),
            (Some(from), false) => pages.iter().skip(from).collect(),
            (Some(from), true) => pages.iter().take(from + 1).collect(),
        };
        if asked.newest_first {
            order.reverse();
        }
        let behind = |entry: &Entry| match asked.after {
            None => true,
            Some(after) if asked.newest_first => entry.place() < after,
            Some(after) => entry.place() > after,
        };
        let mut found = Vec::with_capacity(asked.limit.min(128));
        for (_, number) in order {
            let mut entries = get(&(customer, *number))?.unwrap_or_default().entries();
            if asked.newest_first {
                entries.reverse();
            }
            for entry in entries {
                if behind(&entry) && wanted(&entry) {
                    if found.len() == asked.limit {
                        return Ok((found, true));
                    }
                    found.push(entry);
                }
            }
        }
        Ok((found, false))
    }
}

/// The place in the directory of the page an entry belongs to.
fn page_for(pages: &[(Place, u32)], place: Place) -> usize {
    pages.partition_point(|(first, _)| *first <= place).saturating_sub(1)
}

fn insert(customer: CustomerId, entry: Entry, rows: &mut Rows<'_, Timeline>) {
    let place = entry.place();
    let Some(directory) = rows.get(&(customer, 0)) else {
        return begin_page(customer, entry, 1, rows);
    };
    let pages = directory.pages();
    let index = page_for(pages, place);
    let Some(&(first, number)) = pages.get(index) else {
        return begin_page(customer, entry, 1, rows);
    };
    let next = pages.len() as u32 + 1;
    if index + 1 == pages.len() {
        let page = rows.get(&(customer, number)).and_then(Timeline::page);
        let ends =
            page.is_some_and(|page| page.count as usize >= PAGE_ENTRIES && page.last < place);
        if ends {
            return begin_page(customer, entry, next, rows);
        }
    }
    let mut moved = Vec::new();
    rows.update(&(customer, number), |page| moved = page.page_mut().insert(entry));
    if place < first || !moved.is_empty() {
        let split = moved.first().map(Entry::place);
        rows.update(&(customer, 0), |directory| {
            let pages = directory.pages_mut();
            pages[index].0 = pages[index].0.min(place);
            if let Some(split) = split {
                pages.insert(index + 1, (split, next));
            }
        });
    }
    if !moved.is_empty() {
        rows.put(&(customer, next), Timeline::Page(Page::of(moved)));
    }
}

fn begin_page(customer: CustomerId, entry: Entry, number: u32, rows: &mut Rows<'_, Timeline>) {
    let place = entry.place();
    rows.update(&(customer, 0), |directory| directory.pages_mut().push((place, number)));
    rows.put(&(customer, number), Timeline::Page(Page::of(vec![entry])));
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
            Directory(&'a [(Place, u32)]),
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
    use uuid::Uuid;

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
