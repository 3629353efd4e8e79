//! How each view is doing.

use async_graphql::{Enum, SimpleObject};
use cx_model::Position;
use cx_projections::{State, ViewStatus};

/// What a view is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ProjectionState {
    /// It folds events as they come.
    Live,
    /// It folds history.
    CatchingUp,
    /// Its new generation is being made; an older one may be served meanwhile.
    Building,
    /// Its directory was damaged or another ledger's, was put aside, and is being made anew.
    Repairing,
    /// It cannot write; it tries again.
    Failing,
    /// The server is shutting down.
    Stopped,
}

/// How a view is doing.
#[derive(Debug, Clone, SimpleObject)]
pub struct ProjectionStatus {
    /// The view.
    pub name: String,
    /// What it is doing.
    pub state: ProjectionState,
    /// The generation that is folded: it names what the view's code does.
    pub generation: String,
    /// The generation that readers see meanwhile; null if it is the same.
    pub served_generation: Option<String>,
    /// The position that readers see.
    pub position: Position,
    /// How many events it is behind.
    pub events_behind: i64,
    /// The time between the last event it folded and the ledger's last event, in seconds.
    pub seconds_behind: f64,
    /// How fast it folds at the moment.
    pub events_per_second: f64,
    /// How long until it has caught up, in seconds; null if it does not move.
    pub seconds_left: Option<f64>,
    /// What it takes on disk, in bytes, as text.
    pub size_bytes: String,
    /// Positions of events that its code cannot fold: their lanes stand still.
    pub stalled_at: Vec<Position>,
    /// Events of known types that could not be read since the start, counted once for each time they were read; they stand in the views as unknown ones.
    pub undecodable: i64,
    /// How often its directory was put aside and made anew, since the start.
    pub repairs: i64,
    /// Why that was done the last time: damage, or a ledger that was restored from an older backup.
    pub last_repair: Option<String>,
    /// All its rows were compared with its root since the start.
    pub verified: bool,
    /// What keeps it from moving.
    pub reason: Option<String>,
}

impl From<ViewStatus> for ProjectionStatus {
    fn from(status: ViewStatus) -> Self {
        Self {
            name: status.name.to_owned(),
            state: match status.state {
                State::Live => ProjectionState::Live,
                State::CatchingUp => ProjectionState::CatchingUp,
                State::Building => ProjectionState::Building,
                State::Repairing => ProjectionState::Repairing,
                State::Failing => ProjectionState::Failing,
                State::Stopped => ProjectionState::Stopped,
            },
            generation: status.generation,
            served_generation: status.served_generation,
            position: status.position,
            events_behind: status.events_behind as i64,
            seconds_behind: status.seconds_behind,
            events_per_second: status.events_per_second,
            seconds_left: status.seconds_left,
            size_bytes: status.size_bytes.to_string(),
            stalled_at: status.stalls.iter().map(|stall| stall.position).collect(),
            undecodable: status.undecodable as i64,
            repairs: status.repairs as i64,
            last_repair: status.last_repair,
            verified: status.verified,
            reason: status.reason,
        }
    }
}
