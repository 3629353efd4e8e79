//! From a row to the events it becomes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use cx_model::decide::check_fact;
use cx_model::event::CustomerRegistered;
use cx_model::{
    CaseId, CustomerId, CustomerKind, Envelope, ImportId, NewEvent, Source, derived_id,
};
use uuid::Uuid;

use super::build::Building;
use super::history::History;
use super::mapping::{Customers, Mapping};
use super::moment::Moment;
use super::row::{Fault, Row};
use super::source::hex;

/// What names a customer elsewhere.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identifier {
    /// The scheme, such as `crm`.
    pub scheme: String,
    /// The value. Personal: it is never printed.
    pub value: String,
}

/// A customer as a row names them.
#[derive(Clone)]
pub struct Known {
    /// By what they are known.
    pub identifier: Identifier,
    /// What kind of customer.
    pub kind: CustomerKind,
    /// What they are called.
    pub name: Option<String>,
    /// No two customers share the identifier.
    pub unique: bool,
}

/// Whose a row is.
#[derive(Clone)]
pub enum Who {
    /// A customer of its own, or one whose id the row says.
    Anonymous(CustomerId),
    /// Somebody known by an identifier.
    Known(Arc<Known>),
}

/// A row as events.
pub struct Prepared {
    /// Whose they are.
    pub who: Who,
    /// When the row says it happened.
    pub moment: Moment,
    /// Events that belong to the case rather than the row, and happen once for all its rows.
    pub opening: Vec<NewEvent>,
    /// The row's events.
    pub events: Vec<NewEvent>,
    /// It breaks an invariant of ours, and is kept.
    pub irregular: bool,
}

/// What a row's id says of it.
pub enum Identity {
    /// A row of its own, with its id in the source system.
    New(String),
    /// The same id and the same content as an earlier row of the file.
    Same,
}

/// Prepares the rows of one file, one after another. It remembers 24 bytes a row, to tell rows with
/// the same content or the same id apart, and the state of each case.
pub struct Preparer<'a> {
    mapping: &'a Mapping,
    import: ImportId,
    key: [u8; 32],
    keyed: &'a dyn Fn(&str, &str) -> Uuid,
    contents: HashMap<[u8; 16], u32>,
    ids: HashMap<u64, [u8; 16]>,
    cases: HashMap<CaseId, Case>,
}

struct Case {
    who: Who,
    history: History,
}

impl<'a> Preparer<'a> {
    /// Starts a file. `keyed` makes ids out of names that must not be guessed from them.
    pub fn new(
        mapping: &'a Mapping,
        import: ImportId,
        keyed: &'a dyn Fn(&str, &str) -> Uuid,
    ) -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(keyed("row contents", "1").as_bytes());
        key[16..].copy_from_slice(keyed("row contents", "2").as_bytes());
        let (contents, ids, cases) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { mapping, import, key, keyed, contents, ids, cases }
    }

    /// The row's id in its system: that of its columns, or its content and how many rows before it
    /// in the file have the same.
    pub fn identify(&mut self, row: &Row) -> Result<Identity, Fault> {
        let digest = row.digest(&self.key);
        if self.mapping.row_id.is_empty() {
            let count = self.contents.entry(digest).or_default();
            *count += 1;
            return Ok(Identity::New(format!("row {} {count}", hex(&digest))));
        }
        let mut id = String::new();
        for slot in &self.mapping.row_id {
            let part = row.get(*slot).ok_or_else(|| {
                Fault::of(self.mapping.columns.name(*slot), "no id, and the row is known by it")
            })?;
            if self.mapping.row_id.len() > 1 {
                id.push_str(&part.replace('%', "%25").replace('/', "%2F"));
                id.push('/');
            } else {
                id.push_str(part);
            }
        }
        let system = self.mapping.system.needed(row)?;
        let (short, _) = derived_id(&[system, &id]).as_u64_pair();
        match self.ids.entry(short) {
            Entry::Vacant(entry) => {
                entry.insert(digest);
                Ok(Identity::New(id))
            }
            Entry::Occupied(entry) if *entry.get() == digest => Ok(Identity::Same),
            Entry::Occupied(_) => Err(Fault::of(
                self.mapping.columns.name(self.mapping.row_id[0]),
                "an earlier row of the file has the same id and other content",
            )),
        }
    }

    /// The row's events.
    pub fn prepare(&mut self, row: &Row, source: &str) -> Result<Prepared, Fault> {
        if let Some(fault) = &row.fault {
            return Err(fault.clone());
        }
        let system = self.mapping.system.needed(row)?;
        let moment = self.mapping.time.of(row)?;
        let (case, first) = match &self.mapping.case {
            None => (None, false),
            Some(value) => {
                let id = CaseId(derived_id(&["case", system, value.needed(row)?]));
                (Some(id), !self.cases.contains_key(&id))
            }
        };
        let known = case.and_then(|case| self.cases.get(&case)).map(|case| case.who.clone());
        let who = match known {
            Some(who) => who,
            None => who(&self.mapping.customers, row, system, source)?,
        };
        let mut prepared =
            Prepared { who, moment, opening: Vec::new(), events: Vec::new(), irregular: false };
        if let Who::Anonymous(customer) = prepared.who
            && let Customers::Anonymous(kind) = self.mapping.customers
        {
            let event = CustomerRegistered { kind, name: None };
            let id = derived_id(&["registered", &customer.to_string()]);
            let actor = cx_model::Actor::System { name: system.to_owned() };
            let envelope = self.envelope(actor, moment, system, source);
            prepared.opening.push(NewEvent { id, envelope, event: event.into() });
        }
        let templates = self.mapping.templates.of(row)?;
        let templates = templates.into_iter().filter(|template| first || !template.once_per_case);
        for template in templates {
            let place = if template.once_per_case { 0 } else { prepared.events.len() };
            let building = Building {
                mapping: self.mapping,
                row,
                template,
                system,
                source,
                place,
                case,
                keyed: self.keyed,
            };
            let new = self.new_event(&building, moment)?;
            if template.once_per_case {
                prepared.opening.push(new);
            } else {
                prepared.events.push(new);
            }
        }
        if let Some(case) = case {
            prepared.irregular = self.note(case, &prepared);
        }
        Ok(prepared)
    }

    fn new_event(&self, building: &Building<'_>, moment: Moment) -> Result<NewEvent, Fault> {
        let Building { system, source, template, place, row, .. } = *building;
        let moment = match &template.time {
            Some(time) => time.of(row)?,
            None => moment,
        };
        let event = building.event()?;
        check_fact(&event, |_| None).map_err(|refusal| Fault::row(refusal.to_string()))?;
        let envelope = self.envelope(building.actor()?, moment, system, source);
        let id = match building.case {
            Some(case) if template.once_per_case => {
                derived_id(&["once", &case.to_string(), event.event_type()])
            }
            _ if place == 0 => derived_id(&["event", system, source]),
            _ => derived_id(&["event", system, source, &place.to_string()]),
        };
        Ok(NewEvent { id, envelope, event })
    }

    fn envelope(
        &self,
        actor: cx_model::Actor,
        (occurred_at, precision): Moment,
        system: &str,
        source: &str,
    ) -> Envelope {
        Envelope {
            precision,
            source: Some(Source { system: system.to_owned(), id: source.to_owned() }),
            correlation: Some(self.import.0),
            ..Envelope::new(occurred_at, actor)
        }
    }

    /// Follows the case, and says whether the row's steps break the order that ours keep.
    fn note(&mut self, case: CaseId, prepared: &Prepared) -> bool {
        let new = || Case { who: prepared.who.clone(), history: History::default() };
        let case = self.cases.entry(case).or_insert_with(new);
        let events = prepared.opening.iter().chain(&prepared.events);
        events.filter(|event| case.history.add(event)).count() > 0
    }
}

/// Whose a row is, as its mapping says.
pub fn who(customers: &Customers, row: &Row, system: &str, source: &str) -> Result<Who, Fault> {
    match customers {
        Customers::Anonymous(_) => {
            Ok(Who::Anonymous(CustomerId(derived_id(&["customer", system, source]))))
        }
        Customers::Subject { subject, kind } => {
            subject_of(subject.needed(row)?, *kind).ok_or_else(|| {
                Fault::row("the subject is a customer's id or scheme:value, such as email:...")
            })
        }
        Customers::Known { scheme, id, kind, name, unique } => {
            let identifier =
                Identifier { scheme: scheme.clone(), value: id.needed(row)?.to_owned() };
            let name = match name {
                Some(name) => name.of(row)?.map(str::to_owned),
                None => None,
            };
            Ok(Who::Known(Arc::new(Known { identifier, kind: *kind, name, unique: *unique })))
        }
    }
}

/// Whom the subject of a CloudEvent names: a customer's id, or `scheme:value`.
pub fn subject_of(text: &str, kind: CustomerKind) -> Option<Who> {
    let text = text.trim();
    if let Ok(customer) = text.parse::<CustomerId>() {
        return Some(Who::Anonymous(customer));
    }
    let (scheme, value) = text.split_once(':').filter(|(a, b)| !a.is_empty() && !b.is_empty())?;
    let identifier = Identifier { scheme: scheme.into(), value: value.into() };
    Some(Who::Known(Arc::new(Known { identifier, kind, name: None, unique: false })))
}
