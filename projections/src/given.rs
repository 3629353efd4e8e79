//! `given::<V>([events]).then(key, row)`: the example tests of views, and the laws all views obey.

use cx_model::{
    Actor, Channel, CustomerId, Direction, Envelope, Event, Initiator, InteractionId, Position,
    Recorded, StreamName, derived_id, event::InteractionRecorded,
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::fold::Fold;
use crate::key::Key;
use crate::projection::{Projection, Provenance};

/// Something that happened, before it has a place in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    stream: StreamName,
    envelope: Envelope,
    event: Event,
}

/// An event in a stream: `happened(customer(1), CaseClosed { .. })`.
pub(crate) fn happened(stream: impl Into<StreamOf>, event: impl Into<Event>) -> Happening {
    let actor = Actor::System { name: "example".into() };
    let time = Timestamp::UNIX_EPOCH;
    Happening { stream: stream.into().0, envelope: Envelope::new(time, actor), event: event.into() }
}

impl Happening {
    /// When it happened, RFC 3339. Without it, happenings are a minute apart from 2026 on.
    pub fn at(mut self, time: &str) -> Self {
        self.envelope.occurred_at = time.parse().expect("a time such as 2026-01-31T12:00:00Z");
        self
    }
}

/// A stream, by its name or by the id of what it is about.
pub(crate) struct StreamOf(StreamName);

impl From<StreamName> for StreamOf {
    fn from(stream: StreamName) -> Self {
        Self(stream)
    }
}

macro_rules! stream_of {
    ($($id:ident)*) => {$(
        impl From<cx_model::$id> for StreamOf {
            fn from(id: cx_model::$id) -> Self {
                Self(id.stream())
            }
        }
    )*};
}

stream_of! { CustomerId TouchpointId InstrumentId ImportId DivisionId }

/// The nth customer of an example.
pub(crate) fn customer(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(0xC000_0000 + n))
}

/// An interaction on a channel, nothing else known.
pub(crate) fn interaction(channel: Channel) -> InteractionRecorded {
    InteractionRecorded {
        interaction: InteractionId(Uuid::from_u128(0)),
        kind: "contact".into(),
        touchpoint: None,
        channel,
        direction: Direction::In,
        initiator: Initiator::Customer,
        counterparty: None,
        stage: None,
        thread: None,
        case: None,
        duration_seconds: None,
        outcome: None,
        text: None,
        valence: None,
        expectation: None,
    }
}

/// The events as a ledger would have recorded them.
pub(crate) fn recorded(happenings: impl IntoIterator<Item = Happening>) -> Vec<Recorded> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut revisions = std::collections::BTreeMap::new();
    let mut events = Vec::new();
    for (happening, ordinal) in happenings.into_iter().zip(1..) {
        let Happening { stream, mut envelope, event } = happening;
        let time = start + SignedDuration::from_mins(ordinal as i64);
        if envelope.occurred_at == Timestamp::UNIX_EPOCH {
            envelope.occurred_at = time;
        }
        let next: &mut u64 = revisions.entry(stream.clone()).or_default();
        events.push(Recorded {
            ordinal,
            position: Position::new(ordinal),
            revision: *next,
            id: derived_id(&["example", &ordinal.to_string()]),
            stream,
            recorded_at: time,
            envelope,
            event,
        });
        *next += 1;
    }
    events
}

/// A folded history, to be compared with what is expected.
pub(crate) struct Given<V: Projection> {
    fold: Fold<V>,
}

/// Folds a history in every way the engine may, and asks for equal rows and equal roots.
pub(crate) fn given<V: Projection>(history: impl IntoIterator<Item = Happening>) -> Given<V> {
    Given { fold: folded_every_way(&recorded(history)) }
}

#[allow(clippy::needless_pass_by_value, dead_code)] // examples read better so
impl<V: Projection> Given<V> {
    /// This key has this row.
    #[track_caller]
    pub fn then(self, key: V::Key, row: V::View) -> Self {
        assert_eq!(self.fold.get(&key), Some(row), "the row of {key:?}");
        self
    }

    /// This key has no row.
    #[track_caller]
    pub fn then_none(self, key: V::Key) -> Self {
        assert_eq!(self.fold.get(&key), None, "the row of {key:?}");
        self
    }

    /// These are all rows.
    #[track_caller]
    pub fn then_rows(self, expected: impl IntoIterator<Item = (V::Key, V::View)>) -> Self {
        let rows: Vec<_> = self.fold.rows().into_iter().map(|(key, row, _)| (key, row)).collect();
        assert_eq!(rows, expected.into_iter().collect::<Vec<_>>());
        self
    }

    /// This row was touched by so many events, the first and the last of these ordinals.
    #[track_caller]
    pub fn then_touched(self, key: V::Key, count: u64, first: u64, last: u64) -> Self {
        let rows = self.fold.rows();
        let row = rows.iter().find(|(each, _, _)| *each == key).expect("the row is there");
        assert_eq!(row.2, Provenance { count, first, last }, "the provenance of {key:?}");
        self
    }
}

/// One worker in memory, in batches of 1, 2, 3 and all, every batch twice; several workers.
pub(crate) fn folded_every_way<V: Projection>(events: &[Recorded]) -> Fold<V> {
    let mut whole = Fold::<V>::new();
    whole.check_lanes();
    whole.fold(events);
    assert!(!whole.wrong_lane(), "{}: a row was written or read in two lanes", V::NAME);
    assert_eq!(whole.head().stalls, [], "{}: the fold panicked", V::NAME);
    let rows = whole.rows();
    for (key, _, provenance) in &rows {
        assert_eq!(&V::Key::from_bytes(&key.to_bytes()).expect("a key"), key);
        assert!(provenance.count > 0, "{}: a row that no event touched", V::NAME);
    }
    for size in [1, 2, 3] {
        let mut fold = Fold::<V>::new();
        for batch in events.chunks(size) {
            fold.fold(batch);
            fold.fold(batch);
        }
        assert_eq!(fold.rows(), rows, "{}: in batches of {size}, each twice", V::NAME);
        assert_eq!(fold.head(), whole.head(), "{}: in batches of {size}, each twice", V::NAME);
    }
    for workers in [2, 3] {
        let fold = folded_by_workers::<V>(events, workers);
        let plain = |rows: Vec<(V::Key, V::View, Provenance)>| {
            rows.into_iter().map(|(key, row, _)| (key, row)).collect::<Vec<_>>()
        };
        assert_eq!(plain(fold.rows()), plain(rows.clone()), "{}: {workers} workers", V::NAME);
        assert_eq!(fold.head().root, whole.head().root, "{}: {workers} workers", V::NAME);
    }
    whole
}

/// Lanes dealt to workers, one worker's events after the other's; lane 0 is a point all wait for.
fn folded_by_workers<V: Projection>(events: &[Recorded], workers: u64) -> Fold<V> {
    let mut stretch = 0u64;
    let place = |event| {
        let lane = V::lane(event);
        stretch += u64::from(lane == 0);
        let place = (stretch, lane % workers);
        stretch += u64::from(lane == 0);
        (place, event)
    };
    let mut dealt: Vec<((u64, u64), &Recorded)> = events.iter().map(place).collect();
    dealt.sort_by_key(|(place, _)| *place);
    let dealt: Vec<&Recorded> = dealt.into_iter().map(|(_, event)| event).collect();
    let mut fold = Fold::<V>::new();
    fold.fold_in_any_order(&dealt);
    fold
}

/// The laws of a view, on generated histories: `laws!(MyView);` in its tests.
#[macro_export]
macro_rules! laws {
    ($view:ty) => {
        #[test]
        fn any_history_gives_the_same_rows_in_any_batching() {
            $crate::given::laws::<$view>();
        }
    };
}

/// Folds the canonical history and shuffled pieces of it in every way.
pub(crate) fn laws<V: Projection>() {
    let canonical = cx_model::canonical::history();
    folded_every_way::<V>(&canonical);
    for seed in 1..=6u64 {
        folded_every_way::<V>(&shuffled(&canonical, seed));
    }
}

/// The same happenings in another order: streams keep theirs, as a ledger would.
fn shuffled(events: &[Recorded], seed: u64) -> Vec<Recorded> {
    let mut state = seed;
    let mut queues: Vec<std::collections::VecDeque<Recorded>> = Vec::new();
    for event in events {
        match queues.iter_mut().find(|queue| queue[0].stream == event.stream) {
            Some(queue) => queue.push_back(event.clone()),
            None => queues.push([event.clone()].into()),
        }
    }
    let mut shuffled = Vec::with_capacity(events.len());
    while !queues.is_empty() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = (state >> 33) as usize % queues.len();
        let mut event = queues[place].pop_front().expect("no queue is empty");
        event.ordinal = shuffled.len() as u64 + 1;
        event.position = Position::new(event.ordinal);
        shuffled.push(event);
        if queues[place].is_empty() {
            queues.swap_remove(place);
        }
    }
    shuffled
}
