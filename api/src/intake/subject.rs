//! Whom or what an event is about, and the stream it goes to.

use std::collections::HashMap;

use cx_ledger::{Book, BookError, Claim, Direction, Entry, Expected, Wanted};
use cx_model::event::IdentifierAttached;
use cx_model::{
    CustomerId, Envelope, InstrumentId, NewEvent, StreamName, TouchpointId, derived_id,
};

use super::Reason;

/// Whom or what an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// A thing whose id is given.
    Stream(StreamName),
    /// A customer, by what they are known by elsewhere. Personal data.
    Identifier { scheme: String, value: String },
}

impl Subject {
    /// The subject of an event of this type.
    pub(super) fn of(event: &str, subject: Option<&str>) -> Result<Self, Reason> {
        let subject = subject.map(str::trim).filter(|text| !text.is_empty());
        let subject = subject.ok_or("the attribute subject is missing: it says who it is about")?;
        match event {
            "TouchpointCatalogued"
            | "OwnerAssigned"
            | "CollectionMechanismAttached"
            | "SelfAssessmentSubmitted"
            | "TouchpointRetired" => {
                let id: Result<TouchpointId, _> = subject.parse();
                id.map(|id| Self::Stream(id.stream()))
                    .map_err(|_| "the subject of this type is a touchpoint: touchpoint-UUID".into())
            }
            "InstrumentPublished" | "InstrumentRetired" => {
                let id: Result<InstrumentId, _> = subject.parse();
                id.map(|id| Self::Stream(id.stream())).map_err(|_| {
                    "the subject of this type is an instrument: instrument-UUID".into()
                })
            }
            _ => Self::customer(subject),
        }
    }

    fn customer(subject: &str) -> Result<Self, Reason> {
        if let Ok(id) = subject.parse::<CustomerId>() {
            return Ok(Self::Stream(id.stream()));
        }
        match subject.split_once(':') {
            Some((scheme, value)) if !scheme.is_empty() && !value.is_empty() => {
                Ok(Self::Identifier { scheme: scheme.into(), value: value.into() })
            }
            _ => Err("the subject is a customer's id or scheme:value, such as email:...".into()),
        }
    }
}

/// The customers behind the identifiers of a call.
pub(super) struct Subjects {
    claims: HashMap<Subject, Claim>,
    /// Customers of whom nothing is known yet but who they are elsewhere.
    unknown: Vec<CustomerId>,
}

impl Subjects {
    /// Finds the customers of identifiers; those of nobody become new customers'.
    pub(super) async fn find(
        book: &Book,
        subjects: impl Iterator<Item = &Subject>,
    ) -> Result<Self, BookError> {
        let named: Vec<&Subject> =
            subjects.filter(|subject| matches!(subject, Subject::Identifier { .. })).collect();
        let wanted: Vec<Wanted<'_>> = named
            .iter()
            .filter_map(|subject| match subject {
                Subject::Identifier { scheme, value } => {
                    Some(Wanted { scheme, value, customer: None })
                }
                Subject::Stream(_) => None,
            })
            .collect();
        let found = book.claim_many(&wanted).await?;
        let (mut claims, mut unknown) = (HashMap::new(), Vec::new());
        for (subject, claim) in named.into_iter().zip(found) {
            if claims.contains_key(subject) {
                continue;
            }
            // A claim that is not new can be all there is, if a call was cut off behind it.
            if claim.new || is_empty(book, claim.customer).await? {
                unknown.push(claim.customer);
            }
            claims.insert(subject.clone(), claim);
        }
        Ok(Self { claims, unknown })
    }

    /// The stream of a subject.
    pub(super) fn stream(&self, subject: &Subject) -> StreamName {
        match subject {
            Subject::Stream(stream) => stream.clone(),
            Subject::Identifier { .. } => self.claims[subject].customer.stream(),
        }
    }

    /// What a customer is known by, noted before the first fact about them.
    pub(super) fn opening(&mut self, subject: &Subject, of: &Envelope) -> Option<Entry> {
        let Subject::Identifier { scheme, value } = subject else { return None };
        let customer = self.claims[subject].customer;
        let place = self.unknown.iter().position(|unknown| *unknown == customer)?;
        self.unknown.swap_remove(place);
        let attached = IdentifierAttached {
            scheme: scheme.clone(),
            value: value.clone().into(),
            unique: false,
        };
        // The id says nothing of the identifier.
        let id = derived_id(&["attached", &customer.to_string()]);
        let envelope = Envelope { source: None, ..of.clone() };
        let events = vec![NewEvent { id, envelope, event: attached.into() }];
        Some(Entry { stream: customer.stream(), expected: Expected::Any, events })
    }
}

/// Whether nothing is recorded of a customer.
async fn is_empty(book: &Book, customer: CustomerId) -> Result<bool, BookError> {
    let stream = customer.stream();
    let first = book.ledger().read_stream(&stream, 0, Direction::Forwards, 1).await?;
    Ok(first.is_empty())
}
