//! Questionnaires. Once published, one never changes.

use std::collections::BTreeSet;

use super::{Refusal, State, decisions, refuse, said};
use crate::envelope::Recorded;
use crate::event::{Answer, AnswerValue, Event, InstrumentPublished, Question};
use crate::ids::InstrumentId;
use crate::vocabulary::Metric;

/// What decisions about an instrument, and about responses to it, depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instrument {
    id: Option<InstrumentId>,
    published: Option<InstrumentPublished>,
    retired: bool,
}

impl Instrument {
    /// The instrument's id, once it is published.
    pub fn id(&self) -> Option<InstrumentId> {
        self.id
    }

    /// Its questions; none before it is published.
    pub fn questions(&self) -> &[Question] {
        self.published.as_ref().map_or(&[], |published| &published.questions)
    }

    /// Whether it may still be used.
    pub fn is_in_use(&self) -> bool {
        self.published.is_some() && !self.retired
    }

    pub(super) fn check_in_use(&self) -> Result<(), Refusal> {
        refuse(self.published.is_none(), Refusal::UnknownInstrument)?;
        refuse(self.retired, Refusal::InstrumentRetired)
    }

    /// Whether answers can be understood: each to a question of this instrument, once, within its
    /// scale.
    pub fn check_answers(&self, answers: &[Answer]) -> Result<(), Refusal> {
        for (place, Answer { question: name, value, .. }) in answers.iter().enumerate() {
            let asked = self.questions().iter().find(|question| question.name == *name);
            let question = || name.clone();
            let Some(asked) = asked else {
                return Err(Refusal::UnknownQuestion { question: question() });
            };
            let twice = answers[..place].iter().any(|earlier| earlier.question == *name);
            refuse(twice, Refusal::AnsweredTwice { question: question() })?;
            let AnswerValue::Score(score) = value else { continue };
            let Some(scale) = asked.scale else {
                return Err(Refusal::NoScale { question: question() });
            };
            if !(scale.min..=scale.max).contains(score) {
                let (min, max) = (scale.min, scale.max);
                return Err(Refusal::ScoreOutOfScale { question: question(), min, max });
            }
        }
        Ok(())
    }
}

impl State for Instrument {
    fn apply(&mut self, event: &Recorded) {
        match &event.event {
            // The first one counts: what is published is frozen.
            Event::InstrumentPublished(published) if self.published.is_none() => {
                self.id = InstrumentId::of_stream(&event.stream);
                self.published = Some(published.clone());
            }
            Event::InstrumentRetired(_) => self.retired = true,
            _ => {}
        }
    }
}

/// What an instrument must be to be understood.
pub(super) fn check_instrument(published: &InstrumentPublished) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    for question in &published.questions {
        refuse(!names.insert(question.name.as_str()), Refusal::BadQuestions)?;
        let fits = match (question.metric, question.scale) {
            (Metric::Nps, Some(scale)) => (scale.min, scale.max) == (0, 10),
            (Metric::Ces, Some(scale)) => (scale.min, scale.max) == (1, 7),
            (Metric::Csat | Metric::Other, Some(scale)) => scale.min < scale.max,
            (metric, None) => metric == Metric::Other,
        };
        refuse(!fits, Refusal::BadScale { question: question.name.clone() })?;
    }
    refuse(names.is_empty(), Refusal::BadQuestions)
}

decisions! { Instrument {
    /// Puts a questionnaire to use.
    PublishInstrument(InstrumentPublished) = |instrument, published| {
        refuse(instrument.published.is_some(), Refusal::AlreadyPublished)?;
        said(&published.name, "name")?;
        said(&published.language, "language")?;
        check_instrument(published)
    };
    /// Takes a questionnaire out of use.
    RetireInstrument(InstrumentRetired) = |instrument, retired| {
        refuse(instrument.published.is_none(), Refusal::UnknownInstrument)?;
        refuse(instrument.retired, Refusal::AlreadyRetired)?;
        said(&retired.reason, "reason")
    };
} }
