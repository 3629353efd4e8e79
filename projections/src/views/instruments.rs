//! The questionnaires.

use cx_model::event::{Question, Scale};
use cx_model::{Event, InstrumentId, Recorded, ScaleDirection};
use serde::{Deserialize, Serialize, Serializer};

use cx_model::StreamName;

use crate::projection::Projection;
use crate::rows::Rows;
use crate::shown;

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
    #[serde(serialize_with = "scale")]
    pub scale: Option<(i32, i32, ScaleDirection)>,
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
    pub fn scale(&self) -> Option<Scale> {
        self.scale.map(scale_of)
    }
}

fn scale_of((min, max, direction): (i32, i32, ScaleDirection)) -> Scale {
    Scale { min, max, direction }
}

#[allow(clippy::ref_option)] // serde hands over a reference to the field
fn scale<S: Serializer>(
    scale: &Option<(i32, i32, ScaleDirection)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    shown::shown(scale, serializer, |scale| scale.map(scale_of))
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
