//! What a request says about positions, and what its answer says back.

use std::sync::{Arc, Mutex, PoisonError};

use cx_model::Position;

/// The position the request wants to read at or after (`cx-at-least`); a datum of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AtLeast(pub Option<Position>);

/// The position after which a stream goes on (`Last-Event-ID`); a datum of a subscription that is
/// taken up again. An `after` argument in the document says more and wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeAfter(pub Position);

/// Collects the positions that the resolvers of one answer have read; the lowest is the position
/// the whole answer is true at. A datum of every request.
#[derive(Debug, Clone, Default)]
pub struct ReadPositions(Arc<Mutex<Option<Position>>>);

impl ReadPositions {
    /// Says that a part of the answer is true at this position.
    pub fn report(&self, position: Position) {
        let mut lowest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *lowest = Some(lowest.map_or(position, |lowest| lowest.min(position)));
    }

    /// The lowest position reported so far.
    pub fn lowest(&self) -> Option<Position> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lowest position, and a fresh start for the next answer of a stream.
    pub fn take(&self) -> Option<Position> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
