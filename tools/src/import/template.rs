//! Which events a row becomes.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::kinds::{Kind, Of};
use super::moment::{Moments, TimeSpec};
use super::number::Numbers;
use super::row::{Columns, Fault, Row};
use super::value::{Condition, ConditionSpec, Value, ValueSpec, one_line};

/// The activity table of an event log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivitiesSpec {
    column: String,
    events: BTreeMap<String, ActivitySpec>,
    otherwise: Option<ActivitySpec>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "an activity becomes \"CaseClosed\", { type = …, … }, or a list of these"
)]
enum ActivitySpec {
    Type(String),
    Event(toml::Table),
    Events(Vec<toml::Table>),
}

/// What a mapping's rows become.
#[derive(Debug)]
pub struct Templates {
    always: Vec<Template>,
    activities: Option<Activities>,
    /// How the file writes numbers.
    pub numbers: Numbers,
}

#[derive(Debug)]
struct Activities {
    column: Value,
    events: HashMap<String, Vec<Template>>,
    otherwise: Option<Vec<Template>>,
}

/// One event that a row may become.
#[derive(Debug)]
pub struct Template {
    /// What kind of event.
    pub kind: Kind,
    /// Only for the first row of a case.
    pub once_per_case: bool,
    /// When it happened, where that differs from the row's own time.
    pub time: Option<Moments>,
    /// What else is known of a response.
    pub attributes: Vec<(String, Value)>,
    when: Vec<Condition>,
    fields: Vec<(&'static str, Value)>,
}

impl Templates {
    /// Checks the events of a mapping.
    pub fn compile(
        events: &[toml::Table],
        activities: Option<&ActivitiesSpec>,
        catalogue: &Catalogue,
        numbers: Numbers,
        columns: &mut Columns,
    ) -> anyhow::Result<Self> {
        ensure!(
            !events.is_empty() || activities.is_some(),
            "the mapping has no [[event]]: say what a row becomes, such as type = \"PurchaseMade\""
        );
        let mut always = Vec::new();
        for (place, table) in events.iter().enumerate() {
            let context = || format!("in [[event]] number {}", place + 1);
            always.push(Template::compile(table, catalogue, columns).with_context(context)?);
        }
        let activities = activities
            .map(|spec| Activities::compile(spec, catalogue, columns).context("in [activities]"))
            .transpose()?;
        Ok(Self { always, activities, numbers })
    }

    /// Whether any event belongs to a case.
    pub fn need_a_case(&self) -> bool {
        let table = self.activities.iter();
        let table = table.flat_map(|table| table.events.values().chain(&table.otherwise).flatten());
        self.always.iter().chain(table).any(|template| template.kind.needs_case())
    }

    /// The events that a row becomes, in the order of the mapping.
    pub fn of<'a>(&'a self, row: &'a Row) -> Result<Vec<&'a Template>, Fault> {
        let mut templates: Vec<&Template> = self.always.iter().filter(|t| t.applies(row)).collect();
        if let Some(activities) = &self.activities {
            templates.extend(activities.of(row)?.iter().filter(|t| t.applies(row)));
        }
        if templates.is_empty() {
            return Err(Fault::row("no event of the mapping applies to it"));
        }
        Ok(templates)
    }
}

impl Activities {
    fn compile(
        spec: &ActivitiesSpec,
        catalogue: &Catalogue,
        columns: &mut Columns,
    ) -> anyhow::Result<Self> {
        let mut templates = |spec: &ActivitySpec| -> anyhow::Result<Vec<Template>> {
            let tables = match spec {
                ActivitySpec::Type(kind) => {
                    vec![toml::Table::from_iter([("type".to_owned(), kind.clone().into())])]
                }
                ActivitySpec::Event(table) => vec![table.clone()],
                ActivitySpec::Events(tables) => tables.clone(),
            };
            tables.iter().map(|table| Template::compile(table, catalogue, columns)).collect()
        };
        let mut events = HashMap::new();
        for (activity, spec) in &spec.events {
            let context = || format!("at the activity `{activity}`");
            events.insert(activity.clone(), templates(spec).with_context(context)?);
        }
        let otherwise = spec.otherwise.as_ref().map(templates).transpose()?;
        let column = ValueSpec::column(&spec.column);
        Ok(Self { column: Value::compile(&column, columns), events, otherwise })
    }

    fn of(&self, row: &Row) -> Result<&[Template], Fault> {
        let activity = self.column.needed(row)?;
        let found = self.events.get(activity).or(self.otherwise.as_ref());
        found
            .map(Vec::as_slice)
            .ok_or_else(|| self.column.fault("an activity that the mapping does not list"))
    }
}

impl Template {
    fn compile(
        table: &toml::Table,
        catalogue: &Catalogue,
        columns: &mut Columns,
    ) -> anyhow::Result<Self> {
        let mut table = table.clone();
        let Some(toml::Value::String(name)) = table.remove("type") else {
            bail!("say the `type` of the event: one of {}", Kind::names())
        };
        let kind = Kind::named(&name).with_context(|| {
            format!("`{name}` is no type of event: write one of {}", Kind::names())
        })?;
        let compiled = Self::fields(kind, table, catalogue, columns);
        compiled.with_context(|| format!("in the event {name}"))
    }

    fn fields(
        kind: Kind,
        mut table: toml::Table,
        catalogue: &Catalogue,
        columns: &mut Columns,
    ) -> anyhow::Result<Self> {
        let time: Option<TimeSpec> = take(&mut table, "time")?;
        let time = time.map(|spec| Moments::compile(&spec, columns)).transpose()?;
        let conditions: BTreeMap<String, ConditionSpec> =
            take(&mut table, "when")?.unwrap_or_default();
        let compile =
            |(column, spec): (&String, &ConditionSpec)| Condition::compile(column, spec, columns);
        let when = conditions.iter().map(compile).collect();
        let attributes: BTreeMap<String, ValueSpec> = if kind == Kind::ResponseSubmitted {
            take(&mut table, "attributes")?.unwrap_or_default()
        } else {
            BTreeMap::new()
        };
        let attributes = attributes
            .into_iter()
            .map(|(name, spec)| (name, Value::compile(&spec, columns)))
            .collect();
        let once_per_case = take(&mut table, "once_per_case")?.unwrap_or(kind == Kind::CaseOpened);
        let mut fields = Vec::new();
        for field in kind.fields() {
            let Some(spec): Option<ValueSpec> = take(&mut table, field.name)? else {
                ensure!(!field.needed, "it needs `{}`", field.name);
                continue;
            };
            let value = Value::compile(&spec, columns);
            for text in value.stated() {
                field.of.check(text).with_context(|| format!("at `{}`", field.name))?;
                match field.of {
                    Of::Instrument => ensure!(
                        catalogue.instrument(text).is_some(),
                        "`{text}` is no instrument of this mapping: add an [[instrument]] with this key"
                    ),
                    Of::Touchpoint if !value.is_open() => catalogue.check_touchpoint(text)?,
                    _ => {}
                }
            }
            fields.push((field.name, value));
        }
        Ok(Self { kind, once_per_case, time, attributes, when, fields })
    }

    fn applies(&self, row: &Row) -> bool {
        self.when.iter().all(|condition| condition.holds(row))
    }

    /// A field of the event, if the mapping gives it.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

fn take<T: for<'de> Deserialize<'de>>(
    table: &mut toml::Table,
    name: &str,
) -> anyhow::Result<Option<T>> {
    let Some(value) = table.remove(name) else { return Ok(None) };
    let read = value.try_into::<T>();
    read.map(Some).map_err(|error| anyhow::anyhow!("at `{name}`: {}", one_line(&error)))
}
