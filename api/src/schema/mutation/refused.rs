//! Refusals as clients see them.

use async_graphql::SimpleObject;
use cx_ledger::{BookError, DecideError};
use cx_model::decide::Refusal;

/// Why nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct UserError {
    /// The reason for programs, such as `UNKNOWN_CUSTOMER`; `CONFLICT` for an idempotency key that came with another input before.
    pub code: &'static str,
    /// The reason for people, with what to do about it.
    pub message: String,
    /// The field of the input that is at fault, such as `["input", "answers"]`.
    pub path: Vec<String>,
}

impl UserError {
    /// A refusal at a field of the input; at the input as a whole where the field is empty.
    pub fn new(code: &'static str, message: impl Into<String>, field: &str) -> Self {
        let mut path = vec!["input".to_owned()];
        path.extend((!field.is_empty()).then(|| field.to_owned()));
        Self { code, message: message.into(), path }
    }

    /// The refusal of a failed call on the book; the fault itself if it is one.
    pub fn of_book(error: BookError) -> Result<Self, BookError> {
        match error {
            BookError::KeyReused => Ok(Self::new("CONFLICT", error.to_string(), "idempotencyKey")),
            BookError::Erased { .. } => Ok(Refusal::CustomerErased.into()),
            BookError::UnknownCustomer { .. } => Ok(Refusal::UnknownCustomer.into()),
            fault => Err(fault),
        }
    }

    /// The refusal of a decision; the fault itself if it is one.
    pub fn of_decision(error: DecideError<Refusal>) -> Result<Self, BookError> {
        match error {
            DecideError::Refused(refusal) => Ok(refusal.into()),
            DecideError::Book(error) => Self::of_book(error),
        }
    }
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        let field = field_of(&refusal);
        Self::new(refusal.code(), refusal.to_string(), field)
    }
}

/// The field of the input that a refusal is about.
fn field_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownCustomer
        | Refusal::CustomerErased
        | Refusal::AlreadyRegistered
        | Refusal::AlreadyMerged
        | Refusal::NotMerged
        | Refusal::AlreadyRequested => "customer",
        Refusal::NothingSaid { field } => field,
        Refusal::NotAttached => "value",
        Refusal::SameCustomer | Refusal::SurvivorMerged => "survivor",
        Refusal::AlreadyAtStage => "stage",
        Refusal::NoConsent => "purpose",
        Refusal::AlreadyRecorded | Refusal::UnknownInteraction | Refusal::AlreadyVoided => {
            "interaction"
        }
        Refusal::ValenceOutOfRange => "valence",
        Refusal::AlreadyPurchased | Refusal::UnknownOrder | Refusal::AlreadyFulfilled => "order",
        Refusal::BadCurrency => "currency",
        Refusal::BadAmount | Refusal::ReturnExceedsOrder => "amountMinor",
        Refusal::BadWeight => "weightMillionths",
        Refusal::BadAttribute => "attributes",
        Refusal::AlreadyOffered | Refusal::UnknownOffer | Refusal::AlreadyAnswered => "offer",
        Refusal::AlreadySubmitted | Refusal::UnknownResponse | Refusal::AlreadyWithdrawn => {
            "response"
        }
        Refusal::AnotherInstrument
        | Refusal::UnknownInstrument
        | Refusal::InstrumentRetired
        | Refusal::AlreadyPublished => "instrument",
        Refusal::BadQuestions | Refusal::BadScale { .. } => "questions",
        Refusal::UnknownQuestion { .. }
        | Refusal::AnsweredTwice { .. }
        | Refusal::ScoreOutOfScale { .. }
        | Refusal::NoScale { .. } => "answers",
        Refusal::AlreadyOpened
        | Refusal::UnknownCase
        | Refusal::AlreadyAcknowledged
        | Refusal::NotAcknowledged
        | Refusal::AlreadyPaused
        | Refusal::NotPaused
        | Refusal::AlreadyResolved
        | Refusal::NotResolved
        | Refusal::AlreadyClosed
        | Refusal::NotCommunicated => "case",
        Refusal::NobodyNamed => "agent",
        Refusal::UnknownTouchpoint => "touchpoint",
        Refusal::BadSampling => "samplingPermille",
        _ => "",
    }
}
