//! What operators see of each view.

use cx_model::Position;
use jiff::Timestamp;

use crate::folder::{Head, Stall};

/// What a view is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It folds events as they come.
    Live,
    /// It folds history.
    CatchingUp,
    /// Its generation is being made, and an older one is served.
    Building,
    /// Its directory was damaged or another ledger's: it was put aside and is being made anew.
    Repairing,
    /// It cannot write; it tries again.
    Failing,
    /// The engine was shut down.
    Stopped,
}

impl State {
    /// The state as operators read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::CatchingUp => "catching up",
            Self::Building => "building",
            Self::Repairing => "repairing",
            Self::Failing => "failing",
            Self::Stopped => "stopped",
        }
    }
}

/// What a runner says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub state: State,
    pub generation: String,
    /// The head of the generation that is being folded, served or not.
    pub head: Head,
    pub events_per_second: f64,
    pub size_bytes: u64,
    pub undecodable: u64,
    pub repairs: u64,
    pub last_repair: Option<String>,
    pub verified: bool,
    pub reason: Option<String>,
}

impl Progress {
    pub fn new(state: State, generation: String, head: Head) -> Self {
        Self {
            state,
            generation,
            head,
            events_per_second: 0.0,
            size_bytes: 0,
            undecodable: 0,
            repairs: 0,
            last_repair: None,
            verified: false,
            reason: None,
        }
    }
}

/// How a view is doing.
#[derive(Debug, Clone)]
pub struct ViewStatus {
    /// The view.
    pub name: &'static str,
    /// What it is doing.
    pub state: State,
    /// The generation that is folded.
    pub generation: String,
    /// The generation that is served, if another.
    pub served_generation: Option<String>,
    /// The position that readers see.
    pub position: Position,
    /// The ordinal of the last event folded.
    pub folded: u64,
    /// How many events the ledger has that are not folded yet.
    pub events_behind: u64,
    /// The time between the last event folded and the last event of the ledger.
    pub seconds_behind: f64,
    /// How fast it folds at the moment.
    pub events_per_second: f64,
    /// How long until it has caught up; `None` if it does not move.
    pub seconds_left: Option<f64>,
    /// What it takes on disk.
    pub size_bytes: u64,
    /// The lanes in which a fold panicked.
    pub stalls: Vec<Stall>,
    /// Events of known types that could not be read, since the start.
    pub undecodable: u64,
    /// How often its directory was put aside and made anew, since the start.
    pub repairs: u64,
    /// Why that was done the last time.
    pub last_repair: Option<String>,
    /// All rows were compared with the root since the start.
    pub verified: bool,
    /// What keeps it from moving.
    pub reason: Option<String>,
}

/// The last event of a ledger.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LedgerEnd {
    pub ordinal: u64,
    pub recorded_at: Timestamp,
}

impl ViewStatus {
    pub(crate) fn new(
        name: &'static str,
        progress: Progress,
        served: (Position, String),
        end: LedgerEnd,
    ) -> Self {
        let events_behind = end.ordinal.saturating_sub(progress.head.ordinal);
        let moves = progress.events_per_second > 0.0;
        let seconds_behind = if events_behind == 0 || progress.head.ordinal == 0 {
            0.0
        } else {
            end.recorded_at.duration_since(progress.head.recorded_at).as_secs_f64().max(0.0)
        };
        Self {
            name,
            state: progress.state,
            served_generation: Some(served.1).filter(|served| *served != progress.generation),
            generation: progress.generation,
            position: served.0,
            folded: progress.head.ordinal,
            events_behind,
            seconds_behind,
            events_per_second: progress.events_per_second,
            seconds_left: match events_behind {
                0 => Some(0.0),
                behind => moves.then(|| behind as f64 / progress.events_per_second),
            },
            size_bytes: progress.size_bytes,
            stalls: progress.head.stalls,
            undecodable: progress.undecodable,
            repairs: progress.repairs,
            last_repair: progress.last_repair,
            verified: progress.verified,
            reason: progress.reason,
        }
    }
}
