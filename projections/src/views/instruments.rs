//! The questionnaires.

use cx_model::event::Question;
use cx_model::{Event, InstrumentId, Recorded};
use serde::{Deserialize, Serialize};

use cx_model::StreamName;

use crate::projection::Projection;
use crate::rows::Rows;

/// One questionnaire.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Instrument {
    /// What it is called.
    pub name: String,
    /// The language it is asked in, BCP 47.
    pub language: String,
    /// Its questions.
    pub questions: Vec<AskedQuestion>,
    /// It is no longer used.
    pub retired: bool,
}

/// One question, as a row can hold it: postcard keeps no field that is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedQuestion {
    /// Its name, unique in the instrument.
    pub name: String,
    /// What is asked.
    pub wording: String,
    /// The lowest and highest score, and whether a high one is good.
    pub scale: Option<(i32, i32, cx_model::ScaleDirection)>,
    /// Which figure it feeds.
    pub metric: cx_model::Metric,
    /// About which touchpoint.
    pub touchpoint: Option<cx_model::TouchpointId>,
}

impl From<&Question> for AskedQuestion {
    fn from(it: &Question) -> Self {
        Self {
            name: it.name.clone(),
            wording: it.wording.clone(),
            scale: it.scale.map(|scale| (scale.min, scale.max, scale.direction)),
            metric: it.metric,
            touchpoint: it.touchpoint,
        }
    }
}

impl AskedQuestion {
    /// The scores it takes.
    pub fn scale(&self) -> Option<cx_model::event::Scale> {
        let (min, max, direction) = self.scale?;
        Some(cx_model::event::Scale { min, max, direction })
    }
}

impl Projection for Instrument {
    const NAME: &'static str = "instruments";
    type Key = InstrumentId;
    type View = Self;
    type Private = ();

    fn stream_of(key: &Self::Key) -> Option<StreamName> {
        Some(key.stream())
    }

    fn apply(event: &Recorded, rows: &mut Rows<'_, Self>) {
        let Some(id) = InstrumentId::of_stream(&event.stream) else { return };
        match &event.event {
            Event::InstrumentPublished(it) => rows.put(
                &id,
                Instrument {
                    name: it.name.clone(),
                    language: it.language.clone(),
                    questions: it.questions.iter().map(AskedQuestion::from).collect(),
                    retired: false,
                },
            ),
            Event::InstrumentRetired(_) => rows.update(&id, |row| row.retired = true),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::laws!(Instrument);
}
