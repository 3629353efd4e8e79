//! What a customer answered, and the questionnaires.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PersonalFields;
use crate::ids::{CaseId, InstrumentId, ResponseId, TouchpointId};
use crate::personal::{Personal, Sealable};
use crate::vocabulary::{Metric, ScaleDirection};

/// A customer was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvitationSent {
    /// With which questionnaire.
    pub instrument: InstrumentId,
    /// About which touchpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointId>,
}
impl PersonalFields for InvitationSent {}

/// A customer was not asked, on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvitationSuppressed {
    /// With which questionnaire.
    pub instrument: InstrumentId,
    /// Why, such as `asked_recently`.
    pub reason: String,
}
impl PersonalFields for InvitationSuppressed {}

/// What was answered to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerValue {
    /// A score on the question's scale.
    Score(i32),
    /// Words.
    Text(Personal<String>),
    /// The customer said that the question does not apply to them: "not used".
    NotUsed,
    /// Nothing.
    Blank,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// The question's name in the instrument.
    pub question: String,
    /// The touchpoint, if it differs from the question's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointId>,
    /// What was answered.
    pub value: AnswerValue,
}

/// A customer answered a questionnaire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseSubmitted {
    /// Its id, for amendments.
    pub response: ResponseId,
    /// Which questionnaire.
    pub instrument: InstrumentId,
    /// The answers, a question at most once.
    pub answers: Vec<Answer>,
    /// The survey weight in millionths; left out means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_millionths: Option<u64>,
    /// What else is known of the response, not personal: `{"boarding_area": "G"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The case it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// The customer stopped in the middle.
    #[serde(default)]
    pub partial: bool,
}

impl ResponseSubmitted {
    /// Whether an attribute may have this name. Answers are counted by `name=value`, so the name has
    /// no equals sign.
    pub fn takes_attribute(name: &str) -> bool {
        !name.is_empty() && !name.contains('=')
    }
}

impl PersonalFields for ResponseSubmitted {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        personal_answers(&mut self.answers, visit);
    }
}

/// A customer changed answers. Those given here take the place of the earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseAmended {
    /// Which response.
    pub response: ResponseId,
    /// The answers that change.
    pub answers: Vec<Answer>,
}

impl PersonalFields for ResponseAmended {
    fn personal(&mut self, visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
        personal_answers(&mut self.answers, visit);
    }
}

fn personal_answers(answers: &mut [Answer], visit: &mut dyn FnMut(&str, &mut dyn Sealable)) {
    for (place, answer) in answers.iter_mut().enumerate() {
        if let AnswerValue::Text(text) = &mut answer.value {
            visit(&format!("answers.{place}.text"), text);
        }
    }
}

/// A response no longer counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseWithdrawn {
    /// Which.
    pub response: ResponseId,
    /// Why.
    pub reason: String,
}
impl PersonalFields for ResponseWithdrawn {}

/// The scores a question takes, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scale {
    /// The lowest score.
    pub min: i32,
    /// The highest score.
    pub max: i32,
    /// Which end is good.
    pub direction: ScaleDirection,
}

/// One question of a questionnaire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// Its name, unique in the instrument.
    pub name: String,
    /// What is asked.
    pub wording: String,
    /// The scores it takes; none for an open question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Which figure it feeds.
    pub metric: Metric,
    /// About which touchpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointId>,
}

/// A questionnaire is in use; it never changes from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstrumentPublished {
    /// What it is called.
    pub name: String,
    /// The language it is asked in, BCP 47.
    pub language: String,
    /// Its questions.
    pub questions: Vec<Question>,
}
impl PersonalFields for InstrumentPublished {}

/// A questionnaire is no longer used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstrumentRetired {
    /// Why.
    pub reason: String,
}
impl PersonalFields for InstrumentRetired {}
