//! Why a decision says no.

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $({ $($field:ident: $kind:ty, $fdoc:literal;)* })? $code:literal $message:literal;)*) => {
        /// Why a decision says no. A value for the user, not a failure of the machine.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$doc])* #[error($message)] $name $({ $(#[doc = $fdoc] $field: $kind,)* })?,)*
        }

        impl Refusal {
            /// Every code, for documents and tests.
            pub const CODES: &'static [&'static str] = &[$($code,)*];

            /// The refusal's name for programs: its variant in SCREAMING_SNAKE_CASE.
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$name $({ $($field: _,)* })? => $code,)* }
            }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name),)*];
    };
}

refusals! {
    /// Nobody heard of the customer.
    UnknownCustomer "UNKNOWN_CUSTOMER"
        "this customer is not in the ledger; register them first";
    /// The customer was erased.
    CustomerErased "CUSTOMER_ERASED"
        "this customer was erased; nothing more is recorded of them";
    /// The customer is registered.
    AlreadyRegistered "ALREADY_REGISTERED" "this customer is registered already";
    /// A text that must say something does not.
    NothingSaid { field: &'static str, "The field."; } "NOTHING_SAID" "{field} must not be empty";
    /// A change that changes nothing.
    NothingChanged "NOTHING_CHANGED" "nothing was given that would change anything";
    /// The identifier is not attached.
    NotAttached "NOT_ATTACHED" "no such identifier is attached to this customer";
    /// A customer cannot be merged into itself.
    SameCustomer "SAME_CUSTOMER" "a customer cannot be merged into themselves";
    /// The customer is merged already.
    AlreadyMerged "ALREADY_MERGED"
        "this customer is merged into another already; undo that merge first";
    /// The survivor is merged itself.
    SurvivorMerged "SURVIVOR_MERGED"
        "the survivor is merged into another customer; merge into that one";
    /// Both hold a unique identifier of one scheme.
    IdentifiersConflict { scheme: String, "The scheme."; } "IDENTIFIERS_CONFLICT"
        "both customers hold a unique identifier of scheme {scheme}, so they are two";
    /// There is no such merge to undo.
    NotMerged "NOT_MERGED" "this customer is not merged by that event";
    /// The customer is at that stage.
    AlreadyAtStage "ALREADY_AT_STAGE" "this customer is at that stage already";
    /// No consent for that purpose stands.
    NoConsent "NO_CONSENT" "no consent for that purpose stands";
    /// The erasure was requested.
    AlreadyRequested "ALREADY_REQUESTED" "the erasure was requested already";
    /// The interaction's id is taken.
    AlreadyRecorded "ALREADY_RECORDED" "an interaction with this id is recorded already";
    /// There is no such interaction.
    UnknownInteraction "UNKNOWN_INTERACTION" "this customer has no such interaction";
    /// The interaction was voided.
    AlreadyVoided "ALREADY_VOIDED" "this interaction was voided already";
    /// A valence outside its range.
    ValenceOutOfRange "VALENCE_OUT_OF_RANGE" "a valence lies between -100 and 100";
    /// The order's id is taken.
    AlreadyPurchased "ALREADY_PURCHASED" "an order with this id is recorded already";
    /// There is no such order.
    UnknownOrder "UNKNOWN_ORDER" "this customer has no such order";
    /// The order was fulfilled.
    AlreadyFulfilled "ALREADY_FULFILLED" "this order was fulfilled already";
    /// No ISO 4217 code.
    BadCurrency "BAD_CURRENCY" "a currency is three capital letters, such as EUR (ISO 4217)";
    /// An order has one currency.
    AnotherCurrency "ANOTHER_CURRENCY" "this order was paid in another currency";
    /// An amount below what it can be.
    BadAmount "BAD_AMOUNT"
        "the amount is negative or zero where it cannot be, or beyond 1,000,000,000,000,000";
    /// A weight that would drown all others.
    BadWeight "BAD_WEIGHT" "a response weighs at most 1,000,000 (1,000,000,000,000 millionths)";
    /// An attribute that answers cannot be counted by.
    BadAttribute "BAD_ATTRIBUTE" "an attribute has a name, without an equals sign";
    /// More came back than was bought.
    ReturnExceedsOrder "RETURN_EXCEEDS_ORDER" "more is returned than the order was worth";
    /// The offer's id is taken.
    AlreadyOffered "ALREADY_OFFERED" "an offer with this id was made already";
    /// There is no such offer.
    UnknownOffer "UNKNOWN_OFFER" "this customer was made no such offer";
    /// The offer was answered.
    AlreadyAnswered "ALREADY_ANSWERED" "this offer was accepted or declined already";
    /// The response's id is taken.
    AlreadySubmitted "ALREADY_SUBMITTED" "a response with this id was submitted already";
    /// There is no such response.
    UnknownResponse "UNKNOWN_RESPONSE" "this customer gave no such response";
    /// The response was withdrawn.
    AlreadyWithdrawn "ALREADY_WITHDRAWN" "this response was withdrawn already";
    /// The command names another instrument than it was given.
    AnotherInstrument "ANOTHER_INSTRUMENT" "the response belongs to another instrument";
    /// The instrument is not published.
    UnknownInstrument "UNKNOWN_INSTRUMENT" "this instrument is not published";
    /// The instrument is not in use any more.
    InstrumentRetired "INSTRUMENT_RETIRED" "this instrument was retired";
    /// A published instrument never changes.
    AlreadyPublished "ALREADY_PUBLISHED"
        "a published instrument never changes; publish a new one";
    /// An instrument without questions, or with a question twice.
    BadQuestions "BAD_QUESTIONS" "an instrument asks at least one question, and each once";
    /// A scale that cannot be.
    BadScale { question: String, "The question."; } "BAD_SCALE"
        "question {question}: the scale's ends are in order, 0 to 10 for nps, 1 to 7 for ces, and a metric has one";
    /// The instrument has no such question.
    UnknownQuestion { question: String, "The question."; } "UNKNOWN_QUESTION"
        "the instrument asks no question {question}";
    /// A question is answered twice.
    AnsweredTwice { question: String, "The question."; } "ANSWERED_TWICE"
        "question {question} is answered twice";
    /// A score that the scale does not have.
    ScoreOutOfScale { question: String, "The question."; min: i32, "The lowest score."; max: i32, "The highest score."; }
        "SCORE_OUT_OF_SCALE" "question {question} takes scores from {min} to {max}";
    /// A score where words are asked for.
    NoScale { question: String, "The question."; } "NO_SCALE" "question {question} takes no score";
    /// The case's id is taken.
    AlreadyOpened "ALREADY_OPENED" "a case with this id was opened already";
    /// There is no such case.
    UnknownCase "UNKNOWN_CASE" "this customer has no such case";
    /// The case was acknowledged.
    AlreadyAcknowledged "ALREADY_ACKNOWLEDGED" "this case was acknowledged already";
    /// A complaint is acknowledged before it is resolved.
    NotAcknowledged "NOT_ACKNOWLEDGED"
        "a complaint is acknowledged before it is resolved (ISO 10002)";
    /// The case waits.
    AlreadyPaused "ALREADY_PAUSED" "this case is paused already";
    /// The case does not wait.
    NotPaused "NOT_PAUSED" "this case is not paused";
    /// The case is resolved.
    AlreadyResolved "ALREADY_RESOLVED" "this case is resolved; reopen it first";
    /// The case is not resolved.
    NotResolved "NOT_RESOLVED" "this case is not resolved";
    /// The case is closed.
    AlreadyClosed "ALREADY_CLOSED" "this case is closed; reopen it first";
    /// A complaint is closed after the decision was communicated.
    NotCommunicated "NOT_COMMUNICATED"
        "a complaint is closed after the decision was communicated (ISO 10002): reply in public or offer the solution first";
    /// Neither a division nor a person.
    NobodyNamed "NOBODY_NAMED" "name a division or an agent";
    /// The touchpoint is not in the catalogue.
    UnknownTouchpoint "UNKNOWN_TOUCHPOINT" "this touchpoint is not in the catalogue";
    /// The thing is retired.
    AlreadyRetired "ALREADY_RETIRED" "this was retired already";
    /// More than all are asked.
    BadSampling "BAD_SAMPLING" "sampling lies between 0 and 1000 of a thousand";
    /// A type this program does not know.
    UnknownEventType { event_type: String, "The type."; } "UNKNOWN_EVENT_TYPE"
        "this program knows no event of type {event_type}";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_the_name_of_its_refusal() {
        for (name, code) in NAMES.iter().zip(Refusal::CODES) {
            let mut screaming = String::new();
            for letter in name.chars() {
                if letter.is_uppercase() && !screaming.is_empty() {
                    screaming.push('_');
                }
                screaming.push(letter.to_ascii_uppercase());
            }
            assert_eq!(screaming, *code);
        }
        let unique: BTreeSet<_> = Refusal::CODES.iter().collect();
        assert_eq!(unique.len(), Refusal::CODES.len());
    }

    #[test]
    fn a_message_says_what_is_wrong_in_lower_case_with_no_full_stop() {
        let refusal = Refusal::ScoreOutOfScale { question: "desk".into(), min: 1, max: 5 };
        assert_eq!(refusal.to_string(), "question desk takes scores from 1 to 5");
        assert_eq!(refusal.code(), "SCORE_OUT_OF_SCALE");
    }
}
