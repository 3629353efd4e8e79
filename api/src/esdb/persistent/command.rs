//! What a group is asked.

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::super::event::Ids;
use super::super::fault::Fault;
use super::super::wire::persistent::GroupInfo;
use super::consumers::Told;

/// A question to a group, or an order.
pub(super) enum Command {
    /// A consumer comes.
    Connect { wish: Wish, answer: oneshot::Sender<Result<Joined, Fault>> },
    /// A consumer goes.
    Gone(u64),
    /// Events are done.
    Done { consumer: u64, ids: Vec<Uuid> },
    /// Events are not done.
    NotDone { consumer: u64, ids: Vec<Uuid>, action: Action, reason: String },
    /// How does it stand?
    Info(oneshot::Sender<GroupInfo>),
    /// Parked events are told again, at most so many.
    Replay { limit: u64, answer: oneshot::Sender<()> },
    /// It ends: for a change, or for ever and with all it kept.
    Stop { for_ever: bool, answer: oneshot::Sender<Result<(), Fault>> },
}

/// What a consumer wishes.
pub(super) struct Wish {
    pub ids: Ids,
    pub slots: usize,
    pub name: String,
}

/// What a consumer gets.
pub(super) struct Joined {
    pub number: u64,
    pub messages: mpsc::Receiver<Told>,
}

/// What becomes of an event that is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Park,
    Retry,
    Skip,
    Stop,
}
