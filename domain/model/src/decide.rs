//! Deciding: what happened so far and a command go in, new events or a refusal come out.
//!
//! A *command* is decided here, against a [`State`] that was folded from the stream it will be
//! appended to, and must keep every invariant. A *fact* happened elsewhere: it is recorded as it
//! was. [`check_fact`] refuses only what cannot be understood; a fact that a decision would have
//! been refused for is *irregular* ([`CustomerState::is_irregular`]): kept, and counted.

pub mod case;
pub mod customer;
pub mod fact;
pub mod feedback;
pub mod instrument;
pub mod interaction;
pub mod purchase;
mod refusal;
#[cfg(test)]
mod tests;
pub mod touchpoint;

pub use case::*;
pub use customer::*;
pub use fact::{CustomerState, check_fact};
pub use feedback::*;
pub use instrument::*;
pub use interaction::*;
pub use purchase::*;
pub use refusal::Refusal;
pub use touchpoint::*;

use crate::envelope::Recorded;
use crate::event::{Event, Valence};

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

/// What somebody wants to happen.
pub trait Command {
    /// What the decision depends on.
    type State: State;

    /// The events that happen, or why nothing does. The same state and command give the same
    /// answer.
    fn decide(&self, state: &Self::State) -> Result<Vec<Event>, Refusal>;
}

/// Whether there is somebody of whom something can be decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject {
    known: bool,
    erased: bool,
}

impl Subject {
    fn apply(&mut self, event: &Event) {
        self.known = true;
        self.erased |= matches!(event, Event::SubjectErased(_));
    }

    fn check(self) -> Result<(), Refusal> {
        refuse(self.erased, Refusal::CustomerErased)?;
        refuse(!self.known, Refusal::UnknownCustomer)
    }
}

/// The refusal, if the condition holds.
fn refuse(condition: bool, refusal: Refusal) -> Result<(), Refusal> {
    if condition { Err(refusal) } else { Ok(()) }
}

/// A reason or a name that says something.
fn said(text: &str, field: &'static str) -> Result<(), Refusal> {
    refuse(text.trim().is_empty(), Refusal::NothingSaid { field })
}

fn check_valence(valence: Option<Valence>) -> Result<(), Refusal> {
    let outside = valence.is_some_and(|valence| !(-100..=100).contains(&valence.score));
    refuse(outside, Refusal::ValenceOutOfRange)
}

/// Declares commands that say exactly what their event says, each with the check it has to pass,
/// and the state's `refusal` of an event that was not decided but recorded.
macro_rules! decisions {
    ($state:ident {
        $($(#[$doc:meta])* $command:ident($event:ident) = |$s:pat_param, $e:pat_param| $check:expr;)*
    }) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq)]
            pub struct $command(pub $crate::event::$event);

            impl $crate::decide::Command for $command {
                type State = $state;

                fn decide(
                    &self,
                    state: &$state,
                ) -> Result<Vec<$crate::event::Event>, $crate::decide::Refusal> {
                    let check: fn(&$state, &$crate::event::$event) -> Result<(), Refusal> =
                        |$s, $e| $check;
                    check(state, &self.0)?;
                    Ok(vec![self.0.clone().into()])
                }
            }
        )*

        impl $state {
            /// Why this event, had it been decided, would have been refused.
            pub fn refusal(&self, event: &$crate::event::Event) -> Option<Refusal> {
                match event {
                    $($crate::event::Event::$event(event) => {
                        let check: fn(&$state, &$crate::event::$event) -> Result<(), Refusal> =
                            |$s, $e| $check;
                        check(self, event).err()
                    })*
                    _ => None,
                }
            }
        }
    };
}
use decisions;
