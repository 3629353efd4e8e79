//! One customer at a glance.

use async_graphql::{ComplexObject, Context, OneofObject, Result, SimpleObject};
use cx_ledger::{Opened, Place};
use cx_model::{CaseId, CustomerId, CustomerKind, Position, Stage};
use cx_projections::views::customer::SealedField;
use cx_projections::views::{Customer as CustomerRow, Timeline};

use super::event::ERASED;
use super::moment::AsOf;
use super::paging;
use super::reading::{self, system};
use super::scalars::DateTime;
use super::timeline::{self, TimelineConnection, TimelineFilter, TimelineOrder, TimelineQuestion};
use crate::errors::internal;

/// How to find a customer.
#[derive(Debug, Clone, OneofObject)]
pub enum CustomerBy {
    /// By id.
    Id(CustomerId),
    /// By what they are known by elsewhere.
    Identifier(IdentifierInput),
}

/// What a customer is known by in another system.
#[derive(Debug, Clone, async_graphql::InputObject)]
pub struct IdentifierInput {
    /// Such as `email` or `crm`.
    pub scheme: String,
    /// The value.
    pub value: String,
}

/// What a customer is known by.
#[derive(Debug, Clone, SimpleObject)]
pub struct Identifier {
    /// Such as `email`.
    pub scheme: String,
    /// The value; `ERASED` after an erasure.
    pub value: Option<String>,
    /// No two customers share it.
    pub unique: bool,
}

/// An amount of money.
#[derive(Debug, Clone, SimpleObject)]
pub struct Money {
    /// In the currency's minor units (cents), as text.
    pub amount_minor: String,
    /// ISO 4217.
    pub currency: String,
}

/// The last score a customer gave to a question.
#[derive(Debug, Clone, SimpleObject)]
pub struct LastScore {
    /// The question.
    pub question: String,
    /// The score.
    pub score: i32,
    /// When it was given.
    pub occurred_at: DateTime,
    /// The event that says so.
    pub position: Position,
}

/// How a customer's interactions felt, added up.
#[derive(Debug, Clone, SimpleObject)]
pub struct Experience {
    /// The sum of valences, each from -1 to 1; null if none is known.
    pub cumulative: Option<f64>,
    /// How many interactions have a valence.
    pub n: i64,
    /// How many felt good.
    pub positives: i64,
    /// How many felt bad.
    pub negatives: i64,
    /// The share of interactions that have a valence; null without interactions.
    pub coverage: Option<f64>,
}

/// One customer at a glance.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Customer {
    /// Their id.
    pub id: CustomerId,
    /// A person, a household or an organisation; null if facts came before the registration.
    pub kind: Option<CustomerKind>,
    /// The name; `ERASED` after an erasure.
    pub name: Option<String>,
    /// The language they want to be spoken to in, BCP 47.
    pub language: Option<String>,
    /// What they are known by elsewhere.
    pub identifiers: Vec<Identifier>,
    /// Where in the relationship.
    pub stage: Option<Stage>,
    /// The customer this one turned out to be.
    pub merged_into: Option<CustomerId>,
    /// Their personal values are gone.
    pub erased: bool,
    /// Purposes they have agreed to.
    pub consents: Vec<String>,
    /// When they first met us.
    pub first_contact: Option<DateTime>,
    /// When they last met us.
    pub last_contact: Option<DateTime>,
    /// Interactions that count.
    pub interactions: i64,
    /// Responses that count.
    pub responses: i64,
    /// Purchases.
    pub purchases: i64,
    /// What they spent, less what they gave back.
    pub spent: Vec<Money>,
    /// Cases that are open.
    pub open_cases: Vec<CaseId>,
    /// Cases ever opened.
    pub cases: i64,
    /// The last score by question.
    pub last_scores: Vec<LastScore>,
    /// How their interactions felt.
    pub experience: Experience,
    /// Events in their stream.
    pub events: i64,
    /// The position this is true at.
    pub as_of: Position,
    #[graphql(skip)]
    moment: Option<AsOf>,
}

#[ComplexObject]
impl Customer {
    /// Everything that happened to them.
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many entries, 0 to 100 (auditors 1,000); 50 if left out.")]
        first: Option<i32>,
        #[graphql(desc = "Only entries behind this cursor.")] after: Option<String>,
        #[graphql(desc = "Which entries.")] filter: Option<TimelineFilter>,
        #[graphql(default, desc = "Which end comes first.")] order: TimelineOrder,
    ) -> Result<TimelineConnection> {
        let limit = paging::limit(ctx, first)?;
        let question = TimelineQuestion { customer: self.id, limit, after, filter, order };
        reading::read_as_of::<Timeline, _>(ctx, self.id, self.moment, |source| {
            timeline::page(&question, source)
        })
        .await
    }
}

/// Reads a customer, as they are or as they stood; `None` if nobody heard of them.
pub async fn read(
    ctx: &Context<'_>,
    id: CustomerId,
    as_of: Option<AsOf>,
) -> Result<Option<Customer>> {
    let found = reading::read_as_of::<CustomerRow, _>(ctx, id, as_of, |source| {
        Ok(source.get(&id)?.map(|row| (row, source.position())))
    });
    let Some((row, position)) = found.await? else { return Ok(None) };
    of_row(ctx, id, row, position, as_of).map(Some)
}

fn of_row(
    ctx: &Context<'_>,
    id: CustomerId,
    row: CustomerRow,
    as_of: Position,
    moment: Option<AsOf>,
) -> Result<Customer> {
    let open = |field: Option<&SealedField>| field.map(|field| opened(ctx, id, field)).transpose();
    let name = open(row.name.as_ref())?;
    let mut identifiers = Vec::with_capacity(row.identifiers.len());
    for identifier in row.identifiers.values() {
        identifiers.push(Identifier {
            scheme: identifier.scheme.clone(),
            value: open(identifier.value.as_ref())?,
            unique: identifier.unique,
        });
    }
    let felt = row.experience;
    let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
    let score = |(question, (at, ordinal, score)): (String, (i64, u64, i32))| LastScore {
        question,
        score,
        occurred_at: DateTime::of_microseconds(at),
        position: Position::new(ordinal),
    };
    let money =
        |(currency, amount): (String, i64)| Money { amount_minor: amount.to_string(), currency };
    Ok(Customer {
        id,
        kind: row.kind,
        name,
        language: row.language,
        identifiers,
        stage: row.stage,
        merged_into: row.merged_into,
        erased: row.erased,
        consents: row.consents.into_iter().collect(),
        first_contact: row.first_contact.map(DateTime::of_microseconds),
        last_contact: row.last_contact.map(DateTime::of_microseconds),
        interactions: row.interactions as i64,
        responses: row.responses as i64,
        purchases: row.purchases as i64,
        spent: row.spent_minor.into_iter().map(money).collect(),
        open_cases: row.open_cases.into_iter().collect(),
        cases: row.cases as i64,
        last_scores: row.last_scores.into_iter().map(score).collect(),
        experience: Experience {
            cumulative: (felt.n > 0).then(|| felt.sum as f64 / 100.0),
            n: felt.n as i64,
            positives: felt.positive as i64,
            negatives: felt.negative as i64,
            coverage: share(felt.n, row.interactions),
        },
        events: row.events as i64,
        as_of,
        moment,
    })
}

/// Opens a sealed text; `ERASED` if its key is gone.
fn opened(ctx: &Context<'_>, customer: CustomerId, field: &SealedField) -> Result<String> {
    let stream = customer.stream();
    let place = Place {
        stream: &stream,
        event: field.event,
        event_type: &field.event_type,
        field: &field.field,
    };
    match system(ctx).book.vault().open_value(&field.sealed, &place).map_err(internal)? {
        Opened::Clear(json) => serde_json::from_slice(&json).map_err(internal),
        Opened::Erased => Ok(ERASED.to_owned()),
    }
}
