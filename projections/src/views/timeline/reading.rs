//! Reading a timeline page by page, from either end.

use cx_model::CustomerId;

use super::Timeline;
use super::entry::{Entry, Place};
use super::pages::page_for;

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
