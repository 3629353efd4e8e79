//! One customer at a glance: who they are, what they last did, how they felt.

use std::collections::{BTreeMap, BTreeSet};

use cx_model::{
    AnswerValue, CaseId, CustomerId, CustomerKind, Event, InteractionId, Recorded, SealedValue,
    Stage,
};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use cx_model::StreamName;

use crate::projection::{Projection, customer_lane, lane_of_customer};
use crate::rows::Rows;
use crate::shown::{self, moment};

/// A sealed value with all it takes to open it: where it stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SealedField {
    /// The event that holds it.
    pub event: Uuid,
    /// That event's type.
    pub event_type: String,
    /// The field's path in it.
    pub field: String,
    /// The value.
    pub sealed: SealedValue,
}

/// An identifier the customer is known by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identifier {
    /// Such as `email`.
    pub scheme: String,
    /// No two customers share it.
    pub unique: bool,
    /// Its value, sealed.
    pub value: Option<SealedField>,
}

/// What is known of one customer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// What kind; `None` if facts came before the registration.
    pub kind: Option<CustomerKind>,
    /// The name, sealed.
    pub name: Option<SealedField>,
    /// BCP 47.
    pub language: Option<String>,
    /// By the event that attached each.
    pub identifiers: BTreeMap<Uuid, Identifier>,
    /// Where in the relationship.
    pub stage: Option<Stage>,
    /// Whom this customer turned out to be.
    pub merged_into: Option<CustomerId>,
    /// The merge that says so.
    pub merge: Option<Uuid>,
    /// The personal values are gone.
    pub erased: bool,
    /// Purposes the customer allows.
    pub consents: BTreeSet<String>,
    /// Events in the customer's stream.
    pub events: u64,
    /// Interactions that count.
    pub interactions: u64,
    /// Responses that count.
    pub responses: u64,
    /// When the customer first and last met us, microseconds since the Unix epoch.
    #[serde(serialize_with = "shown::optional_time")]
    pub first_contact: Option<i64>,
    /// See `first_contact`.
    #[serde(serialize_with = "shown::optional_time")]
    pub last_contact: Option<i64>,
    /// Open cases.
    pub open_cases: BTreeSet<CaseId>,
    /// Cases ever opened.
    pub cases: u64,
    /// Purchases.
    pub purchases: u64,
    /// What was spent, by currency, in minor units.
    pub spent_minor: BTreeMap<String, i64>,
    /// The last answer by question: when, the event's ordinal, the score.
    #[serde(serialize_with = "last_scores")]
    pub last_scores: BTreeMap<String, (i64, u64, i32)>,
    /// Stated and inferred valence of interactions: sum, how many, how many above and below 0.
    pub experience: Experience,
    /// Interactions of which something is kept, so that most are not looked for.
    kept: u64,
}

/// The cumulative experience of interactions with a valence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experience {
    /// The sum of valences, each from -100 to 100.
    pub sum: i64,
    /// How many.
    pub n: u64,
    /// How many above 0.
    pub positive: u64,
    /// How many below 0.
    pub negative: u64,
}

fn last_scores<S: Serializer>(
    scores: &BTreeMap<String, (i64, u64, i32)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct LastScore {
        score: i32,
        at: String,
        ordinal: u64,
    }
    let last = |(at, ordinal, score)| LastScore { score, at: moment(at), ordinal };
    let all = |scores: &BTreeMap<String, _>| -> BTreeMap<String, LastScore> {
        scores.iter().map(|(question, score)| (question.clone(), last(*score))).collect()
    };
    shown::shown(scores, serializer, all)
}

impl Projection for Customer {
    const NAME: &'static str = "customer";
    type Key = CustomerId;
    type View = Self;
    /// Interactions that had a valence or were voided, so that both are taken back once.
    type Private = ((CustomerId, InteractionId), Felt);

    fn lane(event: &Recorded) -> u64 {
        customer_lane(event)
    }

    fn lane_of(key: &CustomerId) -> Option<u64> {
        Some(lane_of_customer(*key))
    }

    fn stream_of(key: &Self::Key) -> Option<StreamName> {
        Some(key.stream())
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(customer) = event.customer() else { return };
        let (before, after) = felt(customer, event, rows);
        rows.update(&customer, |row| {
            row.take(event);
            row.kept += u64::from(before == Felt::default() && after != before);
            row.experience.change(before.valence, -1);
            row.experience.change(after.valence, 1);
            if after.voided && !before.voided {
                row.interactions = row.interactions.saturating_sub(1);
            }
        });
    }
}

/// How one interaction felt, and whether it still counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Felt {
    valence: Option<i16>,
    voided: bool,
}

/// What is kept of the event's interaction, before and after the event.
fn felt(customer: CustomerId, recorded: &Recorded, rows: &mut Rows<'_, Customer>) -> (Felt, Felt) {
    let (interaction, valence, voided) = match &recorded.event {
        Event::InteractionRecorded(it) => (it.interaction, it.valence, false),
        Event::InteractionCorrected(it) => (it.interaction, it.valence, false),
        Event::InteractionVoided(it) => (it.interaction, None, true),
        _ => return (Felt::default(), Felt::default()),
    };
    let key = (customer, interaction);
    let some_are_kept = rows.get(&customer).is_some_and(|row| row.kept > 0);
    let known = if some_are_kept { rows.private(&key).cloned() } else { None };
    let before = known.unwrap_or_default();
    let mut after = before.clone();
    if let Some(valence) = valence {
        after.valence = Some(valence.score);
    }
    if voided || before.voided {
        after = Felt { valence: None, voided: true };
    }
    if after != before {
        rows.put_private(&key, after.clone());
    }
    (before, after)
}

impl Customer {
    fn take(&mut self, recorded: &Recorded) {
        self.events += 1;
        self.identity(recorded);
        self.contacts(recorded);
    }

    fn identity(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::CustomerRegistered(it) => {
                self.kind = Some(it.kind);
                self.name = it.name.as_ref().and_then(|name| field(recorded, "name", name));
            }
            Event::DetailsChanged(it) => {
                if let Some(name) = &it.name {
                    self.name = field(recorded, "name", name);
                }
                if it.language.is_some() {
                    self.language.clone_from(&it.language);
                }
            }
            Event::IdentifierAttached(it) => {
                let value = field(recorded, "value", &it.value);
                let identifier = Identifier { scheme: it.scheme.clone(), unique: it.unique, value };
                self.identifiers.insert(recorded.id, identifier);
            }
            Event::IdentifierDetached(it) => {
                self.identifiers.remove(&it.attached);
            }
            Event::CustomersMerged(it) => {
                self.merged_into = Some(it.survivor);
                self.merge = Some(recorded.id);
            }
            Event::CustomersUnmerged(it) if self.merge == Some(it.merge) => {
                self.merged_into = None;
                self.merge = None;
            }
            Event::LifecycleStageChanged(it) => self.stage = Some(it.to),
            Event::ConsentGiven(it) => {
                self.consents.insert(it.purpose.clone());
            }
            Event::ConsentWithdrawn(it) => {
                self.consents.remove(&it.purpose);
            }
            Event::SubjectErased(_) => self.erased = true,
            _ => {}
        }
    }

    fn contacts(&mut self, recorded: &Recorded) {
        let at = recorded.occurred_at().as_microsecond();
        match &recorded.event {
            Event::InteractionRecorded(_) => {
                self.interactions += 1;
                self.contact(at);
            }
            Event::PurchaseMade(it) => {
                self.purchases += 1;
                self.contact(at);
                self.spend(&it.currency, it.amount_minor);
            }
            Event::ReturnMade(it) => {
                self.spend(&it.currency, it.amount_minor.saturating_neg());
            }
            Event::ResponseSubmitted(it) => {
                self.responses += 1;
                self.contact(at);
                for answer in &it.answers {
                    if let AnswerValue::Score(score) = answer.value {
                        let newest = (at, recorded.ordinal, score);
                        let known =
                            self.last_scores.entry(answer.question.clone()).or_insert(newest);
                        *known = newest.max(*known);
                    }
                }
            }
            Event::ResponseWithdrawn(_) => self.responses = self.responses.saturating_sub(1),
            Event::CaseOpened(it) => {
                self.cases += 1;
                self.contact(at);
                self.open_cases.insert(it.case);
            }
            Event::CaseReopened(it) => {
                self.open_cases.insert(it.case);
            }
            Event::CaseClosed(it) => {
                self.open_cases.remove(&it.case);
            }
            _ => {}
        }
    }

    fn spend(&mut self, currency: &str, amount_minor: i64) {
        let spent = self.spent_minor.entry(currency.to_owned()).or_default();
        *spent = spent.saturating_add(amount_minor);
    }

    fn contact(&mut self, at: i64) {
        self.first_contact = Some(self.first_contact.map_or(at, |first| first.min(at)));
        self.last_contact = Some(self.last_contact.map_or(at, |last| last.max(at)));
    }
}

impl Experience {
    fn change(&mut self, valence: Option<i16>, sign: i64) {
        let Some(valence) = valence else { return };
        self.sum += sign * i64::from(valence);
        self.n = self.n.saturating_add_signed(sign);
        self.positive = self.positive.saturating_add_signed(sign * i64::from(valence > 0));
        self.negative = self.negative.saturating_add_signed(sign * i64::from(valence < 0));
    }
}

fn field(
    recorded: &Recorded,
    path: &str,
    value: &cx_model::Personal<String>,
) -> Option<SealedField> {
    use cx_model::Sealable;
    value.sealed().map(|sealed| SealedField {
        event: recorded.id,
        event_type: recorded.event.event_type().to_owned(),
        field: path.to_owned(),
        sealed: sealed.clone(),
    })
}

#[cfg(test)]
mod tests {
    use cx_model::event::{InteractionRecorded, InteractionVoided, Valence};
    use cx_model::{Channel, ValenceBasis};

    use super::*;
    use crate::fold::Fold;
    use crate::given::{customer, happened, interaction, recorded};

    #[test]
    fn a_voided_interaction_takes_its_valence_back_once() {
        let visit = |n, score| InteractionRecorded {
            interaction: InteractionId(Uuid::from_u128(n)),
            valence: Some(Valence { score, basis: ValenceBasis::Stated }),
            ..interaction(Channel::InPerson)
        };
        let void = || InteractionVoided {
            interaction: InteractionId(Uuid::from_u128(1)),
            reason: "twice".into(),
        };
        let mut fold = Fold::<Customer>::new();
        fold.fold(&recorded([
            happened(customer(1), visit(1, -80)),
            happened(customer(1), visit(2, 30)),
            happened(customer(1), void()),
            happened(customer(1), void()),
        ]));
        let row = fold.get(&customer(1)).unwrap();
        assert_eq!(row.interactions, 1);
        assert_eq!(row.experience, Experience { sum: 30, n: 1, positive: 1, negative: 0 });
    }

    crate::laws!(Customer);
}
