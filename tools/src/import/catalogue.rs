//! What a mapping says once and not per row: touchpoints and questionnaires.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, ensure};
use cx_model::decide::check_fact;
use cx_model::event::{
    Answer, AnswerValue, InstrumentPublished, Question, Scale, TouchpointCatalogued,
};
use cx_model::{
    Event, InstrumentId, Metric, Personal, ScaleDirection, StreamName, TouchpointId, derived_id,
};

use super::mapping::{InstrumentSpec, QuestionSpec, TouchpointSpec};
use super::row::{Columns, Fault, Row, Slot};

/// Touchpoints and questionnaires, by the names the mapping gives them.
#[derive(Debug)]
pub struct Catalogue {
    name: String,
    touchpoints: HashMap<String, TouchpointId>,
    instruments: HashMap<String, Instrument>,
    /// What is to be said of them once, with the streams it belongs to.
    pub events: Vec<(StreamName, Event)>,
}

/// A questionnaire and where its answers stand.
#[derive(Debug)]
pub struct Instrument {
    /// Its id.
    pub id: InstrumentId,
    questions: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    name: String,
    column: String,
    slot: Slot,
    scale: Option<Scale>,
    missing: HashSet<String>,
    not_used: HashSet<String>,
    codes: Option<HashMap<String, i32>>,
    text: bool,
}

impl Catalogue {
    /// Checks what the mapping says. `name` keeps the ids of one organisation together: the same
    /// key in the same catalogue is the same touchpoint in every mapping.
    pub fn compile(
        name: &str,
        touchpoints: &[TouchpointSpec],
        instruments: &[InstrumentSpec],
        columns: &mut Columns,
    ) -> anyhow::Result<Self> {
        let mut catalogue = Self {
            name: name.to_owned(),
            touchpoints: HashMap::new(),
            instruments: HashMap::new(),
            events: Vec::new(),
        };
        for spec in touchpoints {
            let id = catalogue.touchpoint(&spec.key);
            let known = catalogue.touchpoints.insert(spec.key.clone(), id);
            ensure!(known.is_none(), "the touchpoint `{}` stands in the mapping twice", spec.key);
            let event = TouchpointCatalogued {
                name: spec.name.clone(),
                channel: spec.channel,
                stage: spec.stage,
                ownership: spec.ownership,
            };
            catalogue.events.push((id.stream(), event.into()));
        }
        for spec in instruments {
            catalogue
                .add_instrument(spec, columns)
                .with_context(|| format!("in the instrument `{}`", spec.key))?;
        }
        Ok(catalogue)
    }

    /// The touchpoint of this key. It may be one that is not catalogued.
    pub fn touchpoint(&self, key: &str) -> TouchpointId {
        let known = self.touchpoints.get(key).copied();
        known.unwrap_or_else(|| TouchpointId(derived_id(&["touchpoint", &self.name, key])))
    }

    /// The questionnaire of this key.
    pub fn instrument(&self, key: &str) -> Option<&Instrument> {
        self.instruments.get(key)
    }

    /// Fails if the key names no touchpoint of the mapping.
    pub fn check_touchpoint(&self, key: &str) -> anyhow::Result<()> {
        ensure!(
            self.touchpoints.contains_key(key),
            "`{key}` is no touchpoint of this mapping: add a [[touchpoint]] with this key"
        );
        Ok(())
    }

    fn add_instrument(
        &mut self,
        spec: &InstrumentSpec,
        columns: &mut Columns,
    ) -> anyhow::Result<()> {
        ensure!(!spec.question.is_empty(), "it has no [[instrument.question]]");
        let mut names = HashSet::new();
        let (mut published, mut asked) = (Vec::new(), Vec::new());
        for question in &spec.question {
            ensure!(names.insert(&question.name), "two questions are named `{}`", question.name);
            let scale = scale(spec, question)
                .with_context(|| format!("in the question `{}`", question.name))?;
            published.push(self.question(spec, question, scale)?);
            asked.push(Asked::new(spec, question, scale, columns));
        }
        let id = InstrumentId(derived_id(&["instrument", &self.name, &spec.key]));
        let instrument = Instrument { id, questions: asked };
        let known = self.instruments.insert(spec.key.clone(), instrument);
        ensure!(known.is_none(), "it stands in the mapping twice");
        let event = InstrumentPublished {
            name: spec.name.clone(),
            language: spec.language.clone(),
            questions: published,
        };
        let event = Event::from(event);
        check_fact(&event, |_| None)?;
        self.events.push((id.stream(), event));
        Ok(())
    }

    fn question(
        &self,
        spec: &InstrumentSpec,
        question: &QuestionSpec,
        scale: Option<Scale>,
    ) -> anyhow::Result<Question> {
        let touchpoint = question.touchpoint.as_ref().or(spec.defaults.touchpoint.as_ref());
        touchpoint.map(|key| self.check_touchpoint(key)).transpose()?;
        let metric = question.metric.or(spec.defaults.metric).filter(|_| !question.text);
        Ok(Question {
            name: question.name.clone(),
            wording: question.wording.clone().unwrap_or_else(|| question.name.clone()),
            scale,
            metric: metric.unwrap_or(Metric::Other),
            touchpoint: touchpoint.map(|key| self.touchpoint(key)),
        })
    }
}

fn scale(spec: &InstrumentSpec, question: &QuestionSpec) -> anyhow::Result<Option<Scale>> {
    if question.text {
        ensure!(question.codes.is_none(), "an answer in words has no `codes`");
        return Ok(None);
    }
    let [min, max] = question
        .scale
        .or(spec.defaults.scale)
        .context("say the `scale`, such as [1, 5], or `text = true` for an open question")?;
    ensure!(min < max, "the scale begins with its lowest score");
    let direction = question.direction.or(spec.defaults.direction);
    let direction = direction.unwrap_or(ScaleDirection::HigherIsBetter);
    let metric = question.metric.or(spec.defaults.metric);
    ensure!(metric != Some(Metric::Nps) || [min, max] == [0, 10], "NPS is asked from 0 to 10");
    for score in question.codes.iter().flatten().map(|(_, score)| *score) {
        ensure!((min..=max).contains(&score), "a code stands for {score}, outside the scale");
    }
    Ok(Some(Scale { min, max, direction }))
}

impl Asked {
    fn new(
        spec: &InstrumentSpec,
        question: &QuestionSpec,
        scale: Option<Scale>,
        columns: &mut Columns,
    ) -> Self {
        let set = |own: &Option<Vec<String>>, default: &Option<Vec<String>>| {
            own.as_ref().or(default.as_ref()).into_iter().flatten().cloned().collect()
        };
        Self {
            name: question.name.clone(),
            column: question.column.clone(),
            slot: columns.slot(&question.column, true),
            scale,
            missing: set(&question.missing, &spec.defaults.missing),
            not_used: set(&question.not_used, &spec.defaults.not_used),
            codes: question.codes.clone().map(|codes| codes.into_iter().collect()),
            text: question.text,
        }
    }

    fn answer(&self, row: &Row) -> Result<AnswerValue, Fault> {
        let Some(text) = row.get(self.slot).filter(|text| !self.missing.contains(*text)) else {
            return Ok(AnswerValue::Blank);
        };
        if self.not_used.contains(text) {
            return Ok(AnswerValue::NotUsed);
        }
        if self.text {
            return Ok(AnswerValue::Text(Personal::from(text.to_owned())));
        }
        let fault = |reason: &str| Fault::of(&self.column, reason);
        let score = match &self.codes {
            Some(codes) => {
                *codes.get(text).ok_or_else(|| fault("a code that the question does not list"))?
            }
            None => whole(text).ok_or_else(|| fault("a score that is no whole number"))?,
        };
        match self.scale {
            Some(scale) if (scale.min..=scale.max).contains(&score) => {
                Ok(AnswerValue::Score(score))
            }
            _ => Err(fault("a score outside the question's scale")),
        }
    }
}

/// A whole number, also written `4.0` as spreadsheets do.
fn whole(text: &str) -> Option<i32> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|byte| byte == b'0') => digits,
        _ => text,
    };
    digits.parse().ok()
}

impl Instrument {
    /// The answers of a row, one for each question.
    pub fn answers(&self, row: &Row) -> Result<Vec<Answer>, Fault> {
        let answer = |asked: &Asked| {
            let value = asked.answer(row)?;
            Ok(Answer { question: asked.name.clone(), touchpoint: None, value })
        };
        self.questions.iter().map(answer).collect()
    }
}
