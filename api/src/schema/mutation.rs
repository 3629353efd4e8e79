//! Everything that can be done: one mutation a command.
//!
//! A refusal is data (`errors` of the payload), a fault is an error of the request. Every payload
//! has `query`, which reads at or after the write, so one round trip sees its own write.

#[macro_use]
mod declare;
mod case;
mod customer;
mod deed;
mod feedback;
mod instrument;
mod interaction;
mod payload;
mod purchase;
mod refused;
mod rights;
mod touchpoint;

use async_graphql::MergedObject;

pub use payload::*;
pub use refused::UserError;

/// Everything that can be done.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct MutationRoot(
    customer::CustomerMutations,
    rights::ConsentMutations,
    rights::ErasureMutation,
    interaction::SingleMutations,
    interaction::ManyMutations,
    purchase::PurchaseMutations,
    feedback::FeedbackMutations,
    case::OpeningMutations,
    case::StepMutations,
    touchpoint::TouchpointMutations,
    instrument::InstrumentMutations,
);
