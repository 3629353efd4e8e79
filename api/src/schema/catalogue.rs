//! Touchpoints and questionnaires.

use async_graphql::SimpleObject;
use cx_model::{
    Channel, DivisionId, InstrumentId, Metric, Ownership, ScaleDirection, Stage, TouchpointId,
};
use cx_projections::views::{Instrument as InstrumentRow, Touchpoint as TouchpointRow};

/// A place or moment at which customers meet the organisation.
#[derive(Debug, Clone, SimpleObject)]
pub struct Touchpoint {
    /// Its id.
    pub id: TouchpointId,
    /// What it is called.
    pub name: String,
    /// By which way customers reach it.
    pub channel: Option<Channel>,
    /// Where in the relationship it stands.
    pub stage: Option<Stage>,
    /// Whose it is.
    pub ownership: Option<Ownership>,
    /// The division that answers for it.
    pub division: Option<DivisionId>,
    /// It is gone.
    pub retired: bool,
}

impl Touchpoint {
    /// The touchpoint of a row.
    pub fn new(id: TouchpointId, row: TouchpointRow) -> Self {
        Self {
            id,
            name: row.name,
            channel: row.channel,
            stage: row.stage,
            ownership: row.ownership,
            division: row.division,
            retired: row.retired,
        }
    }
}

/// The scores a question takes, both ends included.
#[derive(Debug, Clone, SimpleObject)]
pub struct Scale {
    /// The lowest.
    pub min: i32,
    /// The highest.
    pub max: i32,
    /// Which end is good.
    pub direction: ScaleDirection,
}

/// A question of a questionnaire.
#[derive(Debug, Clone, SimpleObject)]
pub struct Question {
    /// Its name, unique in the questionnaire.
    pub name: String,
    /// What is asked.
    pub wording: String,
    /// The scores it takes; null for an open question.
    pub scale: Option<Scale>,
    /// Which figure it feeds.
    pub metric: Metric,
    /// About which touchpoint.
    pub touchpoint: Option<TouchpointId>,
}

/// A questionnaire.
#[derive(Debug, Clone, SimpleObject)]
pub struct Instrument {
    /// Its id.
    pub id: InstrumentId,
    /// What it is called.
    pub name: String,
    /// The language it is asked in, BCP 47.
    pub language: String,
    /// Its questions.
    pub questions: Vec<Question>,
    /// It is no longer used.
    pub retired: bool,
}

impl Instrument {
    /// The questionnaire of a row.
    pub fn new(id: InstrumentId, row: InstrumentRow) -> Self {
        let question = |asked: cx_projections::views::instruments::AskedQuestion| Question {
            scale: asked.scale.map(|(min, max, direction)| Scale { min, max, direction }),
            name: asked.name,
            wording: asked.wording,
            metric: asked.metric,
            touchpoint: asked.touchpoint,
        };
        Self {
            id,
            name: row.name,
            language: row.language,
            questions: row.questions.into_iter().map(question).collect(),
            retired: row.retired,
        }
    }
}
