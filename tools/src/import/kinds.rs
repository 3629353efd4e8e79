//! The kinds of events that a mapping can name, and their fields.

use anyhow::{bail, ensure};
use cx_model::{
    CaseKind, Channel, Counterparty, Direction, Expectation, ImpressionOf, Initiator, Severity,
    Stage, ValenceBasis, WaitingOn,
};

use crate::nearest::hint;

/// What a field holds.
// Named as the lists they stand for.
#[allow(clippy::enum_variant_names)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Words.
    Text,
    /// A whole number.
    Count,
    /// A decimal number.
    Decimal,
    /// `true` or `false`.
    Flag,
    /// ISO 4217.
    Currency,
    /// The key of a touchpoint.
    Touchpoint,
    /// The key of an instrument of the mapping.
    Instrument,
    /// A member of one of the model's closed lists.
    Channel,
    /// See [`Stage`].
    Stage,
    /// See [`Direction`].
    Direction,
    /// See [`Initiator`].
    Initiator,
    /// See [`Counterparty`].
    Counterparty,
    /// See [`Expectation`].
    Expectation,
    /// See [`CaseKind`].
    CaseKind,
    /// See [`Severity`].
    Severity,
    /// See [`WaitingOn`].
    WaitingOn,
    /// See [`ImpressionOf`].
    ImpressionOf,
    /// See [`ValenceBasis`].
    ValenceBasis,
}

impl Of {
    /// Fails if the mapping writes something that the field cannot hold.
    pub fn check(self, text: &str) -> anyhow::Result<()> {
        macro_rules! member {
            ($($list:ident),*) => {
                match self {
                    $(Self::$list => ensure!(
                        $list::from_text(text).is_some(),
                        "`{text}`{} is none of {}",
                        hint(text, $list::ALL.iter().map(|m| m.as_str())),
                        $list::ALL.iter().map(|m| m.as_str()).collect::<Vec<_>>().join(", ")
                    ),)*
                    Self::Flag => ensure!(flag(text).is_some(), "`{text}` is neither true nor false"),
                    Self::Count => ensure!(text.parse::<i64>().is_ok(), "`{text}` is no whole number"),
                    Self::Currency => ensure!(is_currency(text), "`{text}` is no currency such as USD"),
                    Self::Text | Self::Decimal | Self::Touchpoint | Self::Instrument => {
                        if text.is_empty() {
                            bail!("the text is empty");
                        }
                    }
                }
            };
        }
        member!(
            Channel,
            Stage,
            Direction,
            Initiator,
            Counterparty,
            Expectation,
            CaseKind,
            Severity,
            WaitingOn,
            ImpressionOf,
            ValenceBasis
        );
        Ok(())
    }
}

/// `true` or `false`, as files write them.
pub fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "TRUE" | "True" | "yes" | "1" => Some(true),
        "false" | "FALSE" | "False" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Whether a text has the form of a currency's code.
pub fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// A field of an event.
#[derive(Debug)]
pub struct Field {
    /// Its name in the mapping.
    pub name: &'static str,
    /// What it holds.
    pub of: Of,
    /// The event cannot be without it.
    pub needed: bool,
}

macro_rules! kinds {
    ($($kind:ident $case:literal { $($need:tt $field:literal: $of:ident),* $(,)? })*) => {
        /// A kind of event that a row can become.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = concat!("See [`cx_model::event::", stringify!($kind), "`].")] $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind),)* }
            }

            /// Whether it happens to a case.
            pub fn needs_case(self) -> bool {
                match self { $(Self::$kind => $case,)* }
            }

            /// Its fields.
            pub fn fields(self) -> &'static [Field] {
                match self {
                    $(Self::$kind => &[$(Field { name: $field, of: Of::$of, needed: $need },)*],)*
                }
            }
        }
    };
}

kinds! {
    InteractionRecorded false {
        true "kind": Text, true "channel": Channel, false "touchpoint": Touchpoint,
        false "direction": Direction, false "initiator": Initiator,
        false "counterparty": Counterparty, false "stage": Stage, false "thread": Text,
        false "duration_seconds": Count, false "outcome": Text, false "text": Text,
        false "valence": Count, false "valence_basis": ValenceBasis,
        false "expectation": Expectation,
    }
    ImpressionRecorded false {
        true "of": ImpressionOf, true "valence": Count, false "valence_basis": ValenceBasis,
        false "emotion": Text,
    }
    PurchaseMade false {
        true "amount": Decimal, true "currency": Currency, false "order": Text, false "item": Text,
        false "quantity": Count, false "channel": Channel, false "touchpoint": Touchpoint,
    }
    OrderFulfilled false { true "order": Text, false "late_by_seconds": Count }
    ReturnMade false {
        true "order": Text, true "amount": Decimal, true "currency": Currency, false "reason": Text,
    }
    ResponseSubmitted false {
        true "instrument": Instrument, false "weight": Decimal, false "partial": Flag,
    }
    PreferenceSet false { true "name": Text, true "value": Text }
    IntentDeclared false { true "intent": Text }
    LifecycleStageChanged false { true "to": Stage, false "from": Stage, false "rule": Text }
    DetailsChanged false { false "name": Text, false "language": Text }
    ConsentGiven false { true "purpose": Text, true "wording_version": Text, true "channel": Channel }
    ConsentWithdrawn false { true "purpose": Text }
    CaseOpened true {
        true "kind": CaseKind, false "severity": Severity, false "subject": Text,
        false "remedy_sought": Text, false "touchpoint": Touchpoint, false "channel": Channel,
        false "reference": Text,
    }
    CaseAcknowledged true { false "agent": Text }
    CaseAssigned true { false "agent": Text, false "division": Text }
    CaseTransferred true { false "agent": Text, false "division": Text }
    AgentReplied true { false "agent": Text, false "human": Flag, false "public": Flag, false "text": Text }
    CustomerReplied true { false "text": Text }
    SolutionOffered true { false "agent": Text, false "description": Text }
    CasePaused true { false "agent": Text, true "waiting_on": WaitingOn }
    CaseResumed true { false "agent": Text }
    CaseEscalated true { false "agent": Text, true "reason": Text }
    CaseResolved true { false "agent": Text, true "resolution": Text }
    CustomerAcceptedResolution true {}
    CustomerRejectedResolution true {}
    CaseReopened true { false "agent": Text, false "reason": Text }
    CaseClosed true { false "agent": Text }
}

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// All names.
    pub fn names() -> String {
        Self::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
    }
}
