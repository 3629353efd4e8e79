//! What can happen to a customer, written down as events.
//!
//! This crate is pure: no clock, no randomness, no input or output. A command and the state that
//! was folded from earlier events go into a `decide` function, new events or a refusal come out.

pub mod canonical;
pub mod codec;
pub mod decide;
pub mod envelope;
pub mod event;
pub mod ids;
pub mod metrics;
pub mod month;
pub mod personal;
pub mod position;
pub mod stream;
pub mod vocabulary;

pub use codec::{DecodeError, decode, encode};
pub use decide::{Command, Refusal, State};
pub use envelope::{Actor, Envelope, NewEvent, Precision, Recorded, Source};
pub use event::{AnswerValue, Event, UnknownEvent};
pub use ids::*;
pub use month::{Month, MonthError};
pub use personal::{Personal, Sealable, SealedValue};
pub use position::Position;
pub use stream::{StreamName, StreamNameError};
pub use vocabulary::*;
