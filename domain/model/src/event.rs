//! Everything that can happen.
//!
//! An event, once written, is never written differently: a changed event is a new version with an
//! upcaster in `codec`, and a golden file keeps the old one readable for ever.

mod case;
mod customer;
mod feedback;
mod import;
mod interaction;
mod purchase;
mod rights;
mod touchpoint;

pub use case::*;
pub use customer::*;
pub use feedback::*;
pub use import::*;
pub use interaction::*;
pub use purchase::*;
pub use rights::*;
pub use touchpoint::*;

use crate::personal::Sealable;

/// Calls a function for each personal field of an event, with the field's path.
pub trait PersonalFields {
    /// The path names the field, such as `text` or `answers.3.text`.
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        let _ = visit;
    }
}

/// An event of a type that this program does not know. It is kept as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownEvent {
    /// Its type.
    pub event_type: String,
    /// Its data, unread.
    pub data: Vec<u8>,
}

/// Hands the list of events to another macro: `with_events!(my_macro)` expands to
/// `my_macro! { CustomerRegistered DetailsChanged … }`.
#[macro_export]
macro_rules! with_events {
    ($macro:ident) => {
        $macro! {
            CustomerRegistered DetailsChanged IdentifierAttached IdentifierDetached
            CustomersMerged CustomersUnmerged LifecycleStageChanged PreferenceSet IntentDeclared
            InteractionRecorded InteractionCorrected InteractionVoided ImpressionRecorded
            PurchaseMade OrderFulfilled ReturnMade OfferMade OfferAccepted OfferDeclined
            InvitationSent InvitationSuppressed ResponseSubmitted ResponseAmended ResponseWithdrawn
            CaseOpened CaseAcknowledged CaseAssigned CaseTransferred AgentReplied CustomerReplied
            SolutionOffered CasePaused CaseResumed CaseEscalated CaseResolved
            CustomerAcceptedResolution CustomerRejectedResolution CaseReopened CaseClosed
            TouchpointCatalogued OwnerAssigned CollectionMechanismAttached SelfAssessmentSubmitted
            TouchpointRetired
            InstrumentPublished InstrumentRetired
            ConsentGiven ConsentWithdrawn ErasureRequested SubjectErased
            ImportStarted ImportFinished
            IdentifierClaimed IdentifierReleased
        }
    };
}

macro_rules! define_event {
    ($($name:ident)*) => {
        /// Something that happened.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
            /// Of a type this program does not know.
            Unknown(UnknownEvent),
        }

        impl Event {
            /// Every type this program knows.
            pub const TYPES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// The type, as the ledger names it.
            pub fn event_type(&self) -> &str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                    Self::Unknown(unknown) => &unknown.event_type,
                }
            }

            /// Calls a function for each personal field, with the field's path.
            pub fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
                match self {
                    $(Self::$name(event) => event.personal(visit),)*
                    Self::Unknown(_) => {}
                }
            }
        }

        $(impl From<$name> for Event {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*
    };
}

with_events!(define_event);
