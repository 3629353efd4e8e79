//! The pages entries lie in: which they are, how they fill and split.

use cx_model::CustomerId;
use serde::{Deserialize, Serialize};

use super::Timeline;
use super::entry::{Entry, Place};
use crate::rows::{Packed, Rows};

/// Entries a page holds before it splits.
pub(super) const PAGE_ENTRIES: usize = 32;

/// A page of entries, packed: most events stand after all that are known, so that an event costs
/// an append.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    count: u32,
    last: Place,
    entries: Packed<Entry>,
}

impl Page {
    pub(super) fn of(entries: Vec<Entry>) -> Self {
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

impl Timeline {
    pub(super) fn pages(&self) -> &[(Place, u32)] {
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

/// The place in the directory of the page an entry belongs to.
pub(super) fn page_for(pages: &[(Place, u32)], place: Place) -> usize {
    pages.partition_point(|(first, _)| *first <= place).saturating_sub(1)
}

/// Puts an entry on a customer's timeline.
pub(super) fn insert(customer: CustomerId, entry: Entry, rows: &mut Rows<'_, Timeline>) {
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
