//! Deciding: what happened so far and a command go in, new events or a refusal come out.

use crate::envelope::Recorded;

/// What the decisions about one thing need to know, folded from the events of its stream.
pub trait State: Default + Send {
    /// Takes one event into account, in the order of the stream. Events it does not care about
    /// change nothing.
    fn apply(&mut self, event: &Recorded);

    /// The state after a whole history.
    fn of<'a>(history: impl IntoIterator<Item = &'a Recorded>) -> Self {
        let mut state = Self::default();
        for event in history {
            state.apply(event);
        }
        state
    }
}
