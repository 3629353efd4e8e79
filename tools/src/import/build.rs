//! A row's values as an event of the model.

use std::collections::BTreeMap;

// The builder makes nearly every event there is.
#[allow(clippy::wildcard_imports)]
use cx_model::event::*;
use cx_model::{
    Actor, AgentId, CaseId, DivisionId, Event, InteractionId, OrderId, Personal, ResponseId,
    TouchpointId, derived_id,
};
use uuid::Uuid;

use super::kinds::{Kind, flag, is_currency};
use super::mapping::Mapping;
use super::number::minor_places;
use super::row::{Fault, Row};
use super::template::Template;
use super::value::Value;

/// The largest share of a response that one row can have.
const WEIGHT_LIMIT: i64 = 1_000_000_000_000;

/// What an event of a row is made from.
pub struct Building<'a> {
    /// The mapping.
    pub mapping: &'a Mapping,
    /// The row.
    pub row: &'a Row,
    /// What it becomes.
    pub template: &'a Template,
    /// The system that the row comes from.
    pub system: &'a str,
    /// The row's id there.
    pub source: &'a str,
    /// The event's place among those of its row.
    pub place: usize,
    /// The case of the row.
    pub case: Option<CaseId>,
    /// Gives names of people an id that cannot be guessed.
    pub keyed: &'a dyn Fn(&str, &str) -> Uuid,
}

impl<'a> Building<'a> {
    /// The event.
    pub fn event(&self) -> Result<Event, Fault> {
        match self.template.kind {
            Kind::InteractionRecorded => self.interaction(),
            Kind::ImpressionRecorded => Ok(ImpressionRecorded {
                of: self.member("of", cx_model::ImpressionOf::from_text)?,
                valence: self.valence()?.ok_or_else(|| Fault::row("no valence"))?,
                emotion: self.owned("emotion")?,
            }
            .into()),
            Kind::PurchaseMade => self.purchase(),
            Kind::OrderFulfilled => Ok(OrderFulfilled {
                order: self.order()?,
                late_by_seconds: self.count("late_by_seconds")?.unwrap_or(0),
            }
            .into()),
            Kind::ReturnMade => Ok(ReturnMade {
                order: self.order()?,
                amount_minor: self.amount()?.0,
                currency: self.amount()?.1.to_owned(),
                reason: self.owned("reason")?,
            }
            .into()),
            Kind::ResponseSubmitted => self.response(),
            Kind::PreferenceSet => Ok(PreferenceSet {
                name: self.text("name")?.to_owned(),
                value: Personal::from(self.text("value")?.to_owned()),
            }
            .into()),
            Kind::IntentDeclared => {
                Ok(IntentDeclared { intent: self.text("intent")?.to_owned() }.into())
            }
            Kind::LifecycleStageChanged => Ok(LifecycleStageChanged {
                from: self.chosen("from", cx_model::Stage::from_text)?,
                to: self.member("to", cx_model::Stage::from_text)?,
                rule: self.owned("rule")?,
            }
            .into()),
            Kind::DetailsChanged => Ok(DetailsChanged {
                name: self.personal("name")?,
                language: self.owned("language")?,
            }
            .into()),
            Kind::ConsentGiven => Ok(ConsentGiven {
                purpose: self.text("purpose")?.to_owned(),
                wording_version: self.text("wording_version")?.to_owned(),
                channel: self.member("channel", cx_model::Channel::from_text)?,
            }
            .into()),
            Kind::ConsentWithdrawn => {
                Ok(ConsentWithdrawn { purpose: self.text("purpose")?.to_owned() }.into())
            }
            _ => self.case_step(self.case.ok_or_else(|| Fault::row("no case"))?),
        }
    }

    /// Who did it: the customer where it is the customer's act, the agent where one is named.
    pub fn actor(&self) -> Result<Actor, Fault> {
        let by_customer = match self.template.kind {
            Kind::InteractionRecorded => {
                let initiator = self.chosen("initiator", cx_model::Initiator::from_text)?;
                initiator.is_none_or(|initiator| initiator == cx_model::Initiator::Customer)
            }
            Kind::ImpressionRecorded
            | Kind::PurchaseMade
            | Kind::ReturnMade
            | Kind::ResponseSubmitted
            | Kind::PreferenceSet
            | Kind::IntentDeclared
            | Kind::ConsentGiven
            | Kind::ConsentWithdrawn
            | Kind::CaseOpened
            | Kind::CustomerReplied
            | Kind::CustomerAcceptedResolution
            | Kind::CustomerRejectedResolution => true,
            _ => false,
        };
        Ok(match (by_customer, self.agent()?) {
            (true, _) => Actor::Customer { id: None },
            (false, Some(id)) => Actor::Agent { id },
            (false, None) => Actor::System { name: self.system.to_owned() },
        })
    }

    fn interaction(&self) -> Result<Event, Fault> {
        let duration_seconds = self.count("duration_seconds")?;
        Ok(InteractionRecorded {
            interaction: InteractionId(self.id("interaction")),
            kind: self.text("kind")?.to_owned(),
            touchpoint: self.touchpoint()?,
            channel: self.member("channel", cx_model::Channel::from_text)?,
            direction: self
                .chosen("direction", cx_model::Direction::from_text)?
                .unwrap_or(cx_model::Direction::In),
            initiator: self
                .chosen("initiator", cx_model::Initiator::from_text)?
                .unwrap_or(cx_model::Initiator::Customer),
            counterparty: self.chosen("counterparty", cx_model::Counterparty::from_text)?,
            stage: self.chosen("stage", cx_model::Stage::from_text)?,
            thread: self.owned("thread")?,
            case: self.case,
            duration_seconds,
            outcome: self.owned("outcome")?,
            text: self.personal("text")?,
            valence: self.valence()?,
            expectation: self.chosen("expectation", cx_model::Expectation::from_text)?,
        }
        .into())
    }

    fn purchase(&self) -> Result<Event, Fault> {
        let (amount_minor, currency) = self.amount()?;
        let quantity: Option<u32> = self.count("quantity")?;
        let item = self.optional("item")?;
        let lines = match (item, quantity) {
            (None, None) => Vec::new(),
            (item, quantity) => vec![OrderLine {
                item: item.unwrap_or("item").to_owned(),
                quantity: quantity.unwrap_or(1),
                amount_minor,
            }],
        };
        Ok(PurchaseMade {
            order: self.order()?,
            lines,
            amount_minor,
            currency: currency.to_owned(),
            channel: self.chosen("channel", cx_model::Channel::from_text)?,
            touchpoint: self.touchpoint()?,
        }
        .into())
    }

    fn response(&self) -> Result<Event, Fault> {
        let instrument = self.mapping.catalogue.instrument(self.text("instrument")?);
        let instrument = instrument.ok_or_else(|| Fault::row("an unknown instrument"))?;
        let mut attributes = BTreeMap::new();
        for (name, value) in &self.template.attributes {
            if let Some(text) = value.of(self.row)? {
                attributes.insert(name.clone(), text.to_owned());
            }
        }
        Ok(ResponseSubmitted {
            response: ResponseId(self.id("response")),
            instrument: instrument.id,
            answers: instrument.answers(self.row)?,
            weight_millionths: self.weight()?,
            attributes,
            case: self.case,
            partial: self.flag("partial")?,
        }
        .into())
    }

    fn case_step(&self, case: CaseId) -> Result<Event, Fault> {
        Ok(match self.template.kind {
            Kind::CaseOpened => CaseOpened {
                case,
                kind: self.member("kind", cx_model::CaseKind::from_text)?,
                severity: self
                    .chosen("severity", cx_model::Severity::from_text)?
                    .unwrap_or(cx_model::Severity::Normal),
                subject: self.personal("subject")?,
                remedy_sought: self.owned("remedy_sought")?,
                touchpoint: self.touchpoint()?,
                channel: self.chosen("channel", cx_model::Channel::from_text)?,
                reference: self.owned("reference")?,
            }
            .into(),
            Kind::CaseAcknowledged => CaseAcknowledged { case }.into(),
            Kind::CaseAssigned => {
                CaseAssigned { case, division: self.division()?, agent: self.agent()? }.into()
            }
            Kind::CaseTransferred => {
                CaseTransferred { case, division: self.division()?, agent: self.agent()? }.into()
            }
            Kind::AgentReplied => AgentReplied {
                case,
                human: self.flag("human")?,
                public: self.flag("public")?,
                text: self.personal("text")?,
            }
            .into(),
            Kind::CustomerReplied => CustomerReplied { case, text: self.personal("text")? }.into(),
            Kind::SolutionOffered => {
                SolutionOffered { case, description: self.personal("description")? }.into()
            }
            Kind::CasePaused => {
                let waiting_on = self.member("waiting_on", cx_model::WaitingOn::from_text)?;
                CasePaused { case, waiting_on }.into()
            }
            Kind::CaseResumed => CaseResumed { case }.into(),
            Kind::CaseEscalated => {
                CaseEscalated { case, reason: self.text("reason")?.to_owned() }.into()
            }
            Kind::CaseResolved => {
                CaseResolved { case, resolution: self.text("resolution")?.to_owned() }.into()
            }
            Kind::CustomerAcceptedResolution => CustomerAcceptedResolution { case }.into(),
            Kind::CustomerRejectedResolution => CustomerRejectedResolution { case }.into(),
            Kind::CaseReopened => CaseReopened { case, reason: self.owned("reason")? }.into(),
            Kind::CaseClosed => CaseClosed { case }.into(),
            other => return Err(Fault::row(format!("{} is no step of a case", other.name()))),
        })
    }

    fn id(&self, category: &str) -> Uuid {
        if self.place == 0 {
            derived_id(&[category, self.system, self.source])
        } else {
            derived_id(&[category, self.system, self.source, &self.place.to_string()])
        }
    }

    fn order(&self) -> Result<OrderId, Fault> {
        Ok(OrderId(match self.optional("order")? {
            Some(order) => derived_id(&["order", self.system, order]),
            None => self.id("order"),
        }))
    }

    fn touchpoint(&self) -> Result<Option<TouchpointId>, Fault> {
        Ok(self.optional("touchpoint")?.map(|key| self.mapping.catalogue.touchpoint(key)))
    }

    fn agent(&self) -> Result<Option<AgentId>, Fault> {
        Ok(self.optional("agent")?.map(|name| AgentId((self.keyed)("agent", name))))
    }

    fn division(&self) -> Result<Option<DivisionId>, Fault> {
        Ok(self.optional("division")?.map(|name| DivisionId((self.keyed)("division", name))))
    }

    fn amount(&self) -> Result<(i64, &'a str), Fault> {
        let currency = self.text("currency")?;
        if !is_currency(currency) {
            return Err(self.fault("currency", "no currency such as USD"));
        }
        let places = minor_places(currency);
        let amount = self.mapping.templates.numbers.scaled(self.text("amount")?, places, false);
        Ok((amount.map_err(|reason| self.fault("amount", reason))?, currency))
    }

    fn weight(&self) -> Result<Option<u64>, Fault> {
        let Some(text) = self.optional("weight")? else { return Ok(None) };
        let weight = self.mapping.templates.numbers.scaled(text, 6, true);
        match weight.map_err(|reason| self.fault("weight", reason))? {
            weight @ 0..=WEIGHT_LIMIT => Ok(Some(weight as u64)),
            _ => Err(self.fault("weight", "a weight below 0 or above a million")),
        }
    }

    fn valence(&self) -> Result<Option<Valence>, Fault> {
        let Some(score) = self.count("valence")? else { return Ok(None) };
        if !(-100..=100).contains(&score) {
            return Err(self.fault("valence", "a valence outside -100 to 100"));
        }
        let basis = self.chosen("valence_basis", cx_model::ValenceBasis::from_text)?;
        Ok(Some(Valence { score, basis: basis.unwrap_or(cx_model::ValenceBasis::Stated) }))
    }

    fn value(&self, field: &str) -> Option<&'a Value> {
        self.template.field(field)
    }

    fn fault(&self, field: &str, reason: &str) -> Fault {
        self.value(field).map_or_else(|| Fault::row(reason), |value| value.fault(reason))
    }

    fn optional(&self, field: &str) -> Result<Option<&'a str>, Fault> {
        self.value(field).map_or(Ok(None), |value| value.of(self.row))
    }

    fn text(&self, field: &str) -> Result<&'a str, Fault> {
        match self.value(field) {
            Some(value) => value.needed(self.row),
            None => Err(Fault::row(format!("the mapping gives no `{field}`"))),
        }
    }

    fn owned(&self, field: &str) -> Result<Option<String>, Fault> {
        Ok(self.optional(field)?.map(str::to_owned))
    }

    fn personal(&self, field: &str) -> Result<Option<Personal<String>>, Fault> {
        Ok(self.optional(field)?.map(|text| Personal::from(text.to_owned())))
    }

    fn flag(&self, field: &str) -> Result<bool, Fault> {
        let Some(text) = self.optional(field)? else { return Ok(false) };
        flag(text).ok_or_else(|| self.fault(field, "neither true nor false"))
    }

    fn count<T: std::str::FromStr>(&self, field: &str) -> Result<Option<T>, Fault> {
        let Some(text) = self.optional(field)? else { return Ok(None) };
        let count = text.parse().map_err(|_| self.fault(field, "no whole number in its range"))?;
        Ok(Some(count))
    }

    fn chosen<T>(&self, field: &str, read: fn(&str) -> Option<T>) -> Result<Option<T>, Fault> {
        let Some(text) = self.optional(field)? else { return Ok(None) };
        let member = read(text).ok_or_else(|| self.fault(field, "none of the known values"))?;
        Ok(Some(member))
    }

    fn member<T>(&self, field: &str, read: fn(&str) -> Option<T>) -> Result<T, Fault> {
        let text = self.text(field)?;
        read(text).ok_or_else(|| self.fault(field, "none of the known values"))
    }
}
