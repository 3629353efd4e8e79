//! What a view is: a fold of events into rows.

use cx_model::{CustomerId, Recorded, StreamName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::key::Key;
use crate::rows::Rows;

/// What a row may be: plain data. The empty row is its default.
pub trait View:
    Clone + Default + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<T> View for T where
    T: Clone
        + Default
        + PartialEq
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// A row that is a sum over customers.
///
/// `add` must commute: integers or fixed decimals, never floats, and a delta may be negative.
pub trait Figure: View {
    /// Adds a delta to each part.
    fn add(&mut self, delta: &Self);
}

/// The rows a view keeps for itself: none `()`, or `(key, row)`.
pub trait Private: 'static {
    /// What names a private row.
    type Key: Key;
    /// A private row.
    type Row: View;
}

impl Private for () {
    type Key = ();
    type Row = ();
}

impl<K: Key, R: View> Private for (K, R) {
    type Key = K;
    type Row = R;
}

/// A view: it sees its event and its rows and nothing else, so the same events give the same rows.
///
/// A fold cannot fail, wait or reach out. If it panics, its lane stalls and the rest goes on.
pub trait Projection: Sized + Send + Sync + 'static {
    /// Its name, snake_case: its directory's and its GraphQL field's.
    const NAME: &'static str;
    /// Raise it to force a new generation.
    const REVISION: u32 = 1;
    /// What names a row.
    type Key: Key;
    /// A row.
    type View: View;
    /// Rows that only the fold sees; `()` for none. A view of figures keeps here what a response
    /// said, so that an amendment knows what to take back.
    type Private: Private;

    /// Events of one lane are folded in order, and a row is written in one lane only (sums may be
    /// touched by all). Lane 0 is everybody's: its rows may be read in every lane, and if it stalls
    /// the whole view does. See [`customer_lane`].
    fn lane(event: &Recorded) -> u64 {
        let _ = event;
        0
    }

    /// The lane that writes this row, so that a row can say that it stalled. `None`: a sum, which
    /// all lanes write.
    fn lane_of(key: &Self::Key) -> Option<u64> {
        let _ = key;
        Some(0)
    }

    /// The stream whose events alone make this row, so that the row can be explained and read as
    /// it stood. `None`: several streams do.
    fn stream_of(key: &Self::Key) -> Option<StreamName> {
        let _ = key;
        None
    }

    /// A row with nothing [`Packed`](crate::Packed) in it, as people read it when it is explained:
    /// values that are kept as numbers are shown as what they mean (see [`shown`](crate::shown)). The
    /// shape it is kept in is also what rows of an older generation must have to be served while this
    /// one is made.
    fn unpacked(row: &Self::View) -> impl Serialize {
        row
    }

    /// Folds one event into the rows.
    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>);
}

/// A lane for each customer; lane 0 for the streams of touchpoints, instruments and all others.
pub fn customer_lane(event: &Recorded) -> u64 {
    event.customer().map_or(0, lane_of_customer)
}

/// The lane of a customer's events.
pub fn lane_of_customer(customer: CustomerId) -> u64 {
    let (high, low) = customer.0.as_u64_pair();
    (high ^ low.rotate_left(32)).max(1)
}

/// How often and when a row was touched. Kept beside the row, not in its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Provenance {
    /// How many events touched it.
    pub count: u64,
    /// The ordinal of the first.
    pub first: u64,
    /// The ordinal of the last.
    pub last: u64,
}

impl Provenance {
    /// Notes that the event of this ordinal touched the row; `true` if it had not yet.
    pub(crate) fn touch(&mut self, ordinal: u64) -> bool {
        if self.count == 0 {
            self.first = ordinal;
        } else if self.last == ordinal {
            return false;
        }
        self.count += 1;
        self.last = ordinal;
        true
    }
}
