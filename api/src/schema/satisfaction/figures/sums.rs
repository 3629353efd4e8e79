//! The sums behind figures, told apart by an attribute of the responses.
//!
//! The view counts each answer once for all responses and once for each attribute of its response.
//! Those of responses without an attribute are all answers less those that have it.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::{Result, Value};
use cx_model::metrics::{ScoreCount, Scores};
use cx_projections::views::Cell;

use super::FigureKey;
use crate::errors::Code;
use crate::schema::satisfaction::SatisfactionQuestion;

/// How many known names an error lists.
const LISTED: usize = 20;

/// The answers of one figure.
#[derive(Default)]
pub(super) struct Sum {
    pub scores: Scores,
    pub cells: Vec<Cell>,
}

/// Which part of all answers a cell counts.
pub(super) enum Part {
    /// All of them, whatever attributes their responses have.
    All,
    /// Those of responses with this value of the attribute that is asked about.
    With(String),
}

/// The figures that cells add up to.
pub(super) struct Sums<'a> {
    /// The name of the attribute, and the only value wanted if there is one.
    only: Option<(&'a str, &'a str)>,
    by: Option<&'a str>,
    /// The names that cells have.
    known: BTreeSet<String>,
    figures: BTreeMap<FigureKey, Sum>,
}

impl<'a> Sums<'a> {
    /// No figures yet.
    pub fn new(question: &'a SatisfactionQuestion) -> Result<Self> {
        let only = question.filter.attribute.as_ref();
        let only = only.map(|only| (only.name.as_str(), only.value.as_str()));
        let by = question.by_attribute.as_deref();
        if let (Some((name, _)), Some(by)) = (only, by)
            && name != by
        {
            return Err(Code::BadRequest.error(format!(
                "answers are counted by one attribute at a time: filter by `{name}` or tell apart \
                 by `{by}`"
            )));
        }
        Ok(Self { only, by, known: BTreeSet::new(), figures: BTreeMap::new() })
    }

    /// What a cell of this attribute counts; `None` if that is not asked about.
    pub fn part_of(&mut self, attribute: &str) -> Option<Part> {
        let wanted = self.only.map(|(name, _)| name).or(self.by);
        if attribute.is_empty() {
            return self.only.is_none().then_some(Part::All);
        }
        let wanted = wanted?;
        if let Some((name, _)) = attribute.split_once('=')
            && !self.known.contains(name)
        {
            self.known.insert(name.to_owned());
        }
        let value = attribute.strip_prefix(wanted)?.strip_prefix('=')?;
        let fits = self.only.is_none_or(|(_, only)| only == value);
        fits.then(|| Part::With(value.to_owned()))
    }

    /// Adds the answers of a cell to the figures it belongs to.
    pub fn add(&mut self, mut key: FigureKey, part: Part, scores: &Scores, cell: Cell) {
        match part {
            Part::All => {
                key.group.attribute_missing = self.by.is_some();
                self.sum(key, scores, Some(cell));
            }
            Part::With(value) => {
                if self.by.is_some() && self.only.is_none() {
                    let mut missing = key.clone();
                    missing.group.attribute_missing = true;
                    self.sum(missing, &negative(scores), None);
                }
                key.group.attribute = self.by.map(|_| value);
                self.sum(key, scores, Some(cell));
            }
        }
    }

    fn sum(&mut self, key: FigureKey, scores: &Scores, cell: Option<Cell>) {
        let sum = self.figures.entry(key).or_default();
        sum.scores.add(scores);
        sum.cells.extend(cell);
    }

    /// The figures; an error if no response has an attribute of the name that is asked about.
    pub fn finish(self) -> Result<BTreeMap<FigureKey, Sum>> {
        let Self { only, by, known, mut figures } = self;
        if let Some(name) = only.map(|(name, _)| name).or(by)
            && !known.contains(name)
        {
            return Err(unknown(name, &known));
        }
        figures.retain(|key, sum| !key.group.attribute_missing || !sum.scores.is_empty());
        Ok(figures)
    }
}

/// Answers to be taken away.
fn negative(scores: &Scores) -> Scores {
    let negative = |count: &ScoreCount| ScoreCount {
        n: -count.n,
        weight: -count.weight,
        weight_squared: -count.weight_squared,
    };
    Scores {
        by_score: scores.by_score.iter().map(|(score, n)| (*score, negative(n))).collect(),
        blank: -scores.blank,
        not_applicable: -scores.not_applicable,
    }
}

fn unknown(name: &str, known: &BTreeSet<String>) -> async_graphql::Error {
    let mut listed: Vec<_> = known.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    if known.len() > LISTED {
        listed.push(format!("{} more", known.len() - LISTED));
    }
    let list = listed.join(", ");
    let message = if known.is_empty() {
        format!("no response has an attribute `{name}`: responses have no attributes here")
    } else {
        format!("no response has an attribute `{name}`; there are {list}")
    };
    let known = known.iter().take(LISTED).map(|name| Value::from(name.as_str()));
    Code::BadRequest.error_with(message, [("known", Value::List(known.collect()))])
}
