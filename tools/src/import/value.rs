//! Where a value comes from: a constant of the mapping, or a column with its codes.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::row::{Columns, Fault, Row, Slot};

/// A value as the mapping writes it: `"text"`, a number, `true`, or `{ column = "NAME", … }`.
#[derive(Debug, Clone)]
pub enum ValueSpec {
    /// The same for every row.
    Constant(String),
    /// From a column.
    Column(ColumnSpec),
}

/// `{ column = "NAME", codes = { … }, missing = [ … ] }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    column: String,
    /// What each code stands for. A code that is not listed sends the row to the quarantine.
    codes: Option<BTreeMap<String, String>>,
    /// What every code that is not listed stands for.
    otherwise: Option<String>,
    /// Codes that are not listed stand for themselves.
    #[serde(default)]
    keep_unlisted: bool,
    /// Texts that mean "nothing here", beside the empty one.
    #[serde(default)]
    missing: Vec<String>,
    /// What nothing stands for.
    default: Option<String>,
    /// The file need not have the column.
    #[serde(default)]
    optional: bool,
}

impl ValueSpec {
    /// A column as it is.
    pub fn column(name: &str) -> Self {
        Self::Column(ColumnSpec {
            column: name.to_owned(),
            codes: None,
            otherwise: None,
            keep_unlisted: false,
            missing: Vec::new(),
            default: None,
            optional: false,
        })
    }
}

impl<'de> Deserialize<'de> for ValueSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self::Constant(text)),
            toml::Value::Integer(number) => Ok(Self::Constant(number.to_string())),
            toml::Value::Boolean(flag) => Ok(Self::Constant(flag.to_string())),
            table @ toml::Value::Table(_) => table
                .try_into()
                .map(Self::Column)
                .map_err(|error| D::Error::custom(one_line(&error))),
            other => Err(D::Error::custom(format!(
                "a value is a text, a whole number, true, false or {{ column = \"NAME\" }}, not {}",
                other.type_str()
            ))),
        }
    }
}

/// An error of the TOML reader without the picture of the place, which is wrong for inner tables.
pub fn one_line(error: &toml::de::Error) -> String {
    error.message().trim().to_owned()
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub enum Value {
    /// The same for every row.
    Constant(String),
    /// From a column.
    Column(Box<ColumnValue>),
}

/// A column with its codes.
#[derive(Debug, Clone)]
pub struct ColumnValue {
    name: String,
    slot: Slot,
    codes: Option<HashMap<String, String>>,
    otherwise: Option<String>,
    keep_unlisted: bool,
    missing: HashSet<String>,
    default: Option<String>,
}

impl Value {
    /// Finds the column's slot.
    pub fn compile(spec: &ValueSpec, columns: &mut Columns) -> Self {
        match spec {
            ValueSpec::Constant(text) => Self::Constant(text.clone()),
            ValueSpec::Column(spec) => Self::Column(Box::new(ColumnValue {
                name: spec.column.clone(),
                slot: columns.slot(&spec.column, !spec.optional),
                codes: spec.codes.clone().map(|codes| codes.into_iter().collect()),
                otherwise: spec.otherwise.clone(),
                keep_unlisted: spec.keep_unlisted,
                missing: spec.missing.iter().cloned().collect(),
                default: spec.default.clone(),
            })),
        }
    }

    /// Every text that the mapping itself writes here.
    pub fn stated(&self) -> Vec<&str> {
        match self {
            Self::Constant(text) => vec![text],
            Self::Column(column) => {
                let codes = column.codes.iter().flat_map(HashMap::values);
                let all = codes.chain(&column.otherwise).chain(&column.default);
                all.map(String::as_str).filter(|text| !text.is_empty()).collect()
            }
        }
    }

    /// Whether the row's own text can be the value.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Column(column) if column.codes.is_none() || column.keep_unlisted)
    }

    /// The value for a row, `None` where there is none.
    pub fn of<'a>(&'a self, row: &'a Row) -> Result<Option<&'a str>, Fault> {
        match self {
            Self::Constant(text) => Ok(Some(text)),
            Self::Column(column) => column.of(row),
        }
    }

    /// The value for a row that must have one.
    pub fn needed<'a>(&'a self, row: &'a Row) -> Result<&'a str, Fault> {
        self.of(row)?.ok_or_else(|| self.fault("nothing there, and a value is needed"))
    }

    /// A fault of the value's column.
    pub fn fault(&self, reason: impl Into<String>) -> Fault {
        match self {
            Self::Constant(_) => Fault::row(reason),
            Self::Column(column) => Fault::of(&column.name, reason),
        }
    }
}

impl ColumnValue {
    fn of<'a>(&'a self, row: &'a Row) -> Result<Option<&'a str>, Fault> {
        let text = row.get(self.slot).filter(|text| !self.missing.contains(*text));
        let Some(text) = text else {
            return Ok(self.default.as_deref());
        };
        let Some(codes) = &self.codes else {
            return Ok(Some(text));
        };
        match codes.get(text).or(self.otherwise.as_ref()) {
            Some(meaning) => Ok(Some(meaning.as_str()).filter(|meaning| !meaning.is_empty())),
            None if self.keep_unlisted => Ok(Some(text)),
            None => Err(Fault::of(&self.name, "a code that the mapping does not list")),
        }
    }
}

/// A text, or a list of texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts is needed")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// A condition on one column.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "a condition is a text, a list of texts, { not = … } or { present = true }"
)]
pub enum ConditionSpec {
    /// One of these texts.
    In(OneOrMany),
    /// None of these texts; nothing is none of them.
    Not {
        /// The texts.
        not: OneOrMany,
    },
    /// Something, or nothing.
    Present {
        /// Something.
        present: bool,
    },
}

/// A condition on one column.
#[derive(Debug, Clone)]
pub struct Condition {
    slot: Slot,
    spec: ConditionSpec,
}

impl Condition {
    /// Finds the column's slot.
    pub fn compile(column: &str, spec: &ConditionSpec, columns: &mut Columns) -> Self {
        let required = !matches!(spec, ConditionSpec::Present { .. });
        Self { slot: columns.slot(column, required), spec: spec.clone() }
    }

    /// Whether it holds for a row.
    pub fn holds(&self, row: &Row) -> bool {
        let value = row.get(self.slot);
        let among = |texts: &OneOrMany| {
            texts.all().iter().any(|text| text.as_str() == value.unwrap_or_default())
        };
        match &self.spec {
            ConditionSpec::In(texts) => among(texts),
            ConditionSpec::Not { not } => !among(not),
            ConditionSpec::Present { present } => value.is_some() == *present,
        }
    }
}
