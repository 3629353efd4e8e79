//! Questionnaires.

use async_graphql::InputObject;
use cx_model::decide::{PublishInstrument, RetireInstrument};
use cx_model::event::{InstrumentPublished, InstrumentRetired, Question, Scale};
use cx_model::{InstrumentId, Metric, ScaleDirection, TouchpointId};

use super::payload::InstrumentPayload;

/// The scores a question takes, both ends included.
#[derive(Clone, InputObject)]
pub struct ScaleInput {
    /// The lowest score.
    pub min: i32,
    /// The highest score.
    pub max: i32,
    /// Which end is good.
    pub direction: ScaleDirection,
}

/// One question of a questionnaire.
#[derive(Clone, InputObject)]
pub struct QuestionInput {
    /// Its name, unique in the questionnaire, such as `recommend`.
    pub name: String,
    /// What is asked.
    pub wording: String,
    /// The scores it takes: 0 to 10 for `NPS`, 1 to 7 for `CES`; none for an open question.
    pub scale: Option<ScaleInput>,
    /// Which figure it feeds.
    pub metric: Metric,
    /// About which touchpoint.
    pub touchpoint: Option<TouchpointId>,
}

impl From<QuestionInput> for Question {
    fn from(question: QuestionInput) -> Self {
        let scale = question.scale;
        Self {
            name: question.name,
            wording: question.wording,
            scale: scale.map(|ScaleInput { min, max, direction }| Scale { min, max, direction }),
            metric: question.metric,
            touchpoint: question.touchpoint,
        }
    }
}

mutations! { InstrumentMutations {
    /// Puts a questionnaire to use. It never changes from then on; a changed one is a new one.
    publish_instrument(PublishInstrumentInput {
        /// What it is called.
        name: String,
        /// The language it is asked in, BCP 47, such as `en`.
        language: String,
        /// Its questions.
        questions: Vec<QuestionInput>,
    }) -> InstrumentPayload = |deed, input| {
        let id: InstrumentId = deed.id_of("instrument");
        let questions = input.questions.into_iter().map(Into::into).collect();
        let (name, language) = (input.name, input.language);
        let command = PublishInstrument(InstrumentPublished { name, language, questions });
        Ok(InstrumentPayload::new(deed.command(&id.stream(), &command).await?, id))
    }

    /// Takes a questionnaire out of use. What was answered stays.
    retire_instrument(RetireInstrumentInput {
        /// Which.
        instrument: InstrumentId,
        /// Why.
        reason: String,
    }) -> InstrumentPayload = |deed, input| {
        let command = RetireInstrument(InstrumentRetired { reason: input.reason });
        let written = deed.command(&input.instrument.stream(), &command).await?;
        Ok(InstrumentPayload::new(written, input.instrument))
    }
} }
