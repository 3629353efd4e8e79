//! The mapping file: what the columns of a file mean.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use cx_model::{Channel, CustomerKind, Metric, Ownership, ScaleDirection, Stage};
use encoding_rs::Encoding;
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::fields;
use super::moment::{Moments, TimeSpec};
use super::number::Numbers;
use super::row::{Columns, Slot};
use super::template::{ActivitiesSpec, Templates};
use super::value::{OneOrMany, Value, ValueSpec};

/// A mapping as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingSpec {
    name: String,
    system: Option<ValueSpec>,
    catalogue: Option<String>,
    file: FileSpec,
    #[serde(default)]
    row: RowSpec,
    #[serde(default)]
    numbers: Numbers,
    time: TimeSpec,
    customer: CustomerSpec,
    case: Option<ValueSpec>,
    #[serde(default)]
    touchpoint: Vec<TouchpointSpec>,
    #[serde(default)]
    instrument: Vec<InstrumentSpec>,
    #[serde(default)]
    event: Vec<toml::Table>,
    activities: Option<ActivitiesSpec>,
}

/// The kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Columns parted by commas or another character.
    Csv,
    /// Columns parted by blanks.
    Blanks,
    /// One JSON object a line.
    Ndjson,
    /// One CloudEvent (structured JSON) a line.
    Cloudevents,
    /// An event log in XES.
    Xes,
}

/// What becomes of a row with more or fewer values than the file has columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ragged {
    /// It goes to the quarantine.
    #[default]
    Quarantine,
    /// What is missing at its end is taken as blank, what is too much is left alone.
    Pad,
}

/// How the file is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Its kind.
    pub format: Format,
    encoding: Option<String>,
    delimiter: Option<String>,
    quote: Option<String>,
    /// The names of the columns, for a file without a line that names them.
    pub columns: Option<Vec<String>>,
    /// What becomes of rows with more or fewer values.
    #[serde(default)]
    pub ragged: Ragged,
}

impl FileSpec {
    /// The character between columns.
    pub fn delimiter(&self) -> anyhow::Result<u8> {
        one_byte(self.delimiter.as_deref().unwrap_or(","), "delimiter")
    }

    /// The quotation mark.
    pub fn quote(&self) -> anyhow::Result<u8> {
        one_byte(self.quote.as_deref().unwrap_or("\""), "quote")
    }

    /// The encoding of a file without a byte-order mark.
    pub fn encoding(&self) -> anyhow::Result<&'static Encoding> {
        let Some(label) = &self.encoding else { return Ok(encoding_rs::UTF_8) };
        Encoding::for_label(label.as_bytes()).with_context(|| {
            format!("`{label}` is no encoding: write one such as utf-8, windows-1252 or shift_jis")
        })
    }
}

fn one_byte(text: &str, what: &str) -> anyhow::Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => bail!("`{what}` is one ASCII character, such as \";\" or \"\\t\", not `{text}`"),
    }
}

/// What names a row.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSpec {
    id: Option<OneOrMany>,
}

/// Whose rows these are, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerSpec {
    #[serde(default)]
    anonymous: bool,
    scheme: Option<String>,
    id: Option<ValueSpec>,
    subject: Option<ValueSpec>,
    kind: Option<CustomerKind>,
    name: Option<ValueSpec>,
    #[serde(default)]
    unique: bool,
}

/// A touchpoint of the catalogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TouchpointSpec {
    /// The name by which the mapping knows it.
    pub key: String,
    /// What it is called.
    pub name: String,
    /// By which way customers reach it.
    pub channel: Channel,
    /// Where in the relationship it stands.
    pub stage: Option<Stage>,
    /// Whose it is.
    #[serde(default = "owned")]
    pub ownership: Ownership,
}

fn owned() -> Ownership {
    Ownership::Owned
}

/// A questionnaire.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentSpec {
    /// The name by which the mapping knows it.
    pub key: String,
    /// What it is called.
    pub name: String,
    /// The language it is asked in, BCP 47.
    pub language: String,
    /// What holds for every question that does not say otherwise.
    #[serde(default)]
    pub defaults: QuestionDefaults,
    /// Its questions.
    pub question: Vec<QuestionSpec>,
}

/// What holds for every question that does not say otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionDefaults {
    /// The lowest and the highest score.
    pub scale: Option<[i32; 2]>,
    /// Which end is good.
    pub direction: Option<ScaleDirection>,
    /// Which figure it feeds.
    pub metric: Option<Metric>,
    /// About which touchpoint.
    pub touchpoint: Option<String>,
    /// Texts that mean "blank", beside the empty one.
    pub missing: Option<Vec<String>>,
    /// Texts that mean "does not apply to me".
    pub not_used: Option<Vec<String>>,
}

/// A question and the column of its answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionSpec {
    /// Its name in the instrument.
    pub name: String,
    /// The column of its answers.
    pub column: String,
    /// What is asked; the name, if it is left out.
    pub wording: Option<String>,
    /// The lowest and the highest score.
    pub scale: Option<[i32; 2]>,
    /// Which end is good.
    pub direction: Option<ScaleDirection>,
    /// Which figure it feeds.
    pub metric: Option<Metric>,
    /// About which touchpoint.
    pub touchpoint: Option<String>,
    /// Texts that mean "blank", beside the empty one.
    pub missing: Option<Vec<String>>,
    /// Texts that mean "does not apply to me".
    pub not_used: Option<Vec<String>>,
    /// The score that each text stands for.
    pub codes: Option<BTreeMap<String, i32>>,
    /// The answer is words, not a score.
    #[serde(default)]
    pub text: bool,
}

/// Whose rows these are.
#[derive(Debug)]
pub enum Customers {
    /// Each row is a customer of its own.
    Anonymous(CustomerKind),
    /// A column says who, as the subject of a CloudEvent does: a customer's id, or `scheme:value`.
    Subject {
        /// The column.
        subject: Value,
        /// What kind of customer.
        kind: CustomerKind,
    },
    /// A column says who.
    Known {
        /// The scheme of the identifiers.
        scheme: String,
        /// The identifier.
        id: Value,
        /// What kind of customer.
        kind: CustomerKind,
        /// What they are called.
        name: Option<Value>,
        /// No two customers share it.
        unique: bool,
    },
}

/// What the columns of a file mean.
#[derive(Debug)]
pub struct Mapping {
    /// The mapping's name.
    pub name: String,
    /// The file's format.
    pub file: FileSpec,
    /// The columns it names.
    pub columns: Columns,
    /// The system that the rows come from.
    pub system: Value,
    /// The columns that name a row; none where its content does.
    pub row_id: Vec<Slot>,
    /// When.
    pub time: Moments,
    /// Whose.
    pub customers: Customers,
    /// About which case.
    pub case: Option<Value>,
    /// Touchpoints and instruments.
    pub catalogue: Catalogue,
    /// What rows become.
    pub templates: Templates,
}

impl Mapping {
    /// Reads and checks a mapping. Errors say what to do.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        fields::check(text)?;
        let spec: MappingSpec = toml::from_str(text)?;
        let mut columns = Columns::default();
        let cloud = spec.file.format == Format::Cloudevents;
        spec.file.delimiter()?;
        spec.file.encoding()?;
        let system = match (&spec.system, cloud) {
            (Some(system), _) => Value::compile(system, &mut columns),
            (None, true) => Value::compile(&ValueSpec::column("source"), &mut columns),
            (None, false) => bail!(
                "the mapping needs `system = \"…\"`: the name of the system the rows come from"
            ),
        };
        let name = spec.catalogue.as_deref().unwrap_or(match &system {
            Value::Constant(system) => system,
            Value::Column(_) => &spec.name,
        });
        let catalogue = Catalogue::compile(name, &spec.touchpoint, &spec.instrument, &mut columns)?;
        let ids = match &spec.row.id {
            None if cloud => &["id".to_owned()][..],
            None => &[],
            Some(ids) => ids.all(),
        };
        let row_id = ids.iter().map(|column| columns.slot(column, true)).collect();
        let time = Moments::compile(&spec.time, &mut columns).context("in [time]")?;
        let customers = spec.customer.compile(&mut columns).context("in [customer]")?;
        let case = spec.case.as_ref().map(|case| Value::compile(case, &mut columns));
        let templates = Templates::compile(
            &spec.event,
            spec.activities.as_ref(),
            &catalogue,
            spec.numbers,
            &mut columns,
        )?;
        ensure!(
            case.is_some() || !templates.need_a_case(),
            "an event of a case needs `case = {{ column = \"…\" }}` at the top of the mapping"
        );
        Ok(Self {
            name: spec.name,
            file: spec.file,
            columns,
            system,
            row_id,
            time,
            customers,
            case,
            catalogue,
            templates,
        })
    }
}

impl CustomerSpec {
    fn compile(&self, columns: &mut Columns) -> anyhow::Result<Customers> {
        let kind = self.kind.unwrap_or(CustomerKind::Person);
        if let Some(subject) = &self.subject {
            let alone = self.scheme.is_none() && self.id.is_none() && !self.anonymous;
            ensure!(alone && self.name.is_none(), "`subject` says all there is of the customer");
            return Ok(Customers::Subject { subject: Value::compile(subject, columns), kind });
        }
        match (&self.scheme, &self.id, self.anonymous) {
            (None, None, true) => {
                ensure!(self.name.is_none(), "an anonymous customer has no `name`");
                Ok(Customers::Anonymous(kind))
            }
            (Some(scheme), Some(id), false) => Ok(Customers::Known {
                scheme: scheme.clone(),
                id: Value::compile(id, columns),
                kind,
                name: self.name.as_ref().map(|name| Value::compile(name, columns)),
                unique: self.unique,
            }),
            _ => bail!(
                "say either `anonymous = true` (each row is a customer of its own), or a `scheme` \
                 such as \"crm\" and `id = {{ column = \"…\" }}`"
            ),
        }
    }
}
