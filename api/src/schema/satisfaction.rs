//! How satisfied customers are: what can be asked of the satisfaction view, and what is answered.

mod definition;
mod figures;

use async_graphql::{Enum, InputObject, SimpleObject};
use cx_model::metrics::Interval;
use cx_model::{Channel, DivisionId, InstrumentId, Metric, Month, Position, Stage, TouchpointId};
use cx_projections::views::Cell;

use super::catalogue::Scale;
use super::reading::Standing;

pub use definition::Definition;
pub use figures::figures;

/// Which answers count. What is left out is not asked about.
#[derive(Debug, Default, Clone, InputObject)]
pub struct SatisfactionFilter {
    /// Of this questionnaire.
    pub instrument: Option<InstrumentId>,
    /// To this question.
    pub question: Option<String>,
    /// That feed this figure.
    pub metric: Option<Metric>,
    /// About this touchpoint.
    pub touchpoint: Option<TouchpointId>,
    /// About touchpoints on this channel.
    pub channel: Option<Channel>,
    /// About touchpoints at this stage.
    pub stage: Option<Stage>,
    /// About touchpoints that this division answers for.
    pub division: Option<DivisionId>,
    /// Of responses with this attribute. A name that no response has is refused with the names there are.
    pub attribute: Option<AttributeInput>,
    /// From this month on.
    pub from: Option<Month>,
    /// Up to this month, that one included.
    pub to: Option<Month>,
}

/// An attribute of responses, such as `boarding_area` = `G`.
#[derive(Debug, Clone, InputObject)]
#[graphql(name = "AttributeFilter")]
pub struct AttributeInput {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What figures are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Enum)]
pub enum SatisfactionDimension {
    /// By questionnaire.
    Instrument,
    /// By question.
    Question,
    /// By touchpoint.
    Touchpoint,
    /// By the touchpoint's channel.
    Channel,
    /// By the touchpoint's stage.
    Stage,
    /// By the division that answers for the touchpoint.
    Division,
    /// By the month in which answers were given, UTC.
    Month,
}

/// How several responses of one customer about one thing in one month count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum)]
pub enum ResponsePolicy {
    /// The latest counts.
    #[default]
    Latest,
    /// The first counts.
    First,
    /// Each counts.
    All,
}

/// Which interval stands beside an NPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum)]
pub enum NpsInterval {
    /// Adjusted Wald (Rocks 2016).
    #[default]
    AdjustedWald,
    /// Plain Wald.
    Wald,
}

/// What the answers of a figure have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, SimpleObject)]
pub struct SatisfactionGroup {
    /// The questionnaire.
    pub instrument: Option<InstrumentId>,
    /// The questionnaire's name.
    pub instrument_name: Option<String>,
    /// The question.
    pub question: Option<String>,
    /// The question's wording.
    pub wording: Option<String>,
    /// The touchpoint.
    pub touchpoint: Option<TouchpointId>,
    /// The touchpoint's name; null if the catalogue does not know it.
    pub touchpoint_name: Option<String>,
    /// The touchpoint's channel.
    pub channel: Option<Channel>,
    /// The touchpoint's stage.
    pub stage: Option<Stage>,
    /// The division that answers for the touchpoint.
    pub division: Option<DivisionId>,
    /// The month.
    pub month: Option<Month>,
    /// The value of the attribute that was asked for with `byAttribute`; null for responses that do not have it.
    pub attribute: Option<String>,
    /// These are the answers of responses that do not have the attribute asked for with `byAttribute`: with them the groups add up to all answers.
    pub attribute_missing: bool,
}

/// How often a score was given.
#[derive(Debug, Clone, SimpleObject)]
pub struct ScoreFrequency {
    /// The score.
    pub score: i32,
    /// How often.
    pub n: i64,
}

/// The parts of a net promoter score.
#[derive(Debug, Clone, SimpleObject)]
pub struct NpsParts {
    /// Answers 9 and 10.
    pub promoters: i64,
    /// Answers 7 and 8.
    pub passives: i64,
    /// Answers 0 to 6.
    pub detractors: i64,
}

/// One figure with all it takes to judge it.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct SatisfactionFigure {
    /// Which figure.
    pub metric: Metric,
    /// What its answers have in common.
    pub group: SatisfactionGroup,
    /// NPS in points from -100 to 100, CSAT and CES as a share from 0 to 1; null without answers, and for questions that feed none of these.
    pub value: Option<f64>,
    /// Holds the true value 95 times in 100; null without answers.
    pub interval: Option<Interval>,
    /// The mean of the scores; null without answers.
    pub mean: Option<f64>,
    /// Answers on the scale.
    pub n: i64,
    /// Asked and not answered, or answered outside the scale.
    pub missing: i64,
    /// Answered with "does not apply".
    pub not_applicable: i64,
    /// Kish's effective sample size for a weighted figure, else n; null without answers.
    pub effective_n: Option<f64>,
    /// Fewer than 30 answers.
    pub small_sample: bool,
    /// The scores the question takes.
    pub scale: Scale,
    /// Promoters, passives and detractors, for an NPS.
    pub nps: Option<NpsParts>,
    /// How often each score was given.
    pub distribution: Vec<ScoreFrequency>,
    /// How the figure is worked out.
    pub definition: Definition,
    /// The position it is true at.
    pub as_of: Position,
    /// The cells of the view that it adds up.
    #[graphql(skip)]
    pub(crate) cells: Vec<Cell>,
    /// Of their responses only those count that do not have this attribute.
    #[graphql(skip)]
    pub(crate) without: Option<String>,
    #[graphql(skip)]
    pub(crate) standing: Standing,
}

/// What is asked of the satisfaction view.
pub struct SatisfactionQuestion {
    /// Which answers.
    pub filter: SatisfactionFilter,
    /// What figures are told apart by.
    pub by: Vec<SatisfactionDimension>,
    /// Also by the value of this attribute.
    pub by_attribute: Option<String>,
    /// How several responses count.
    pub policy: ResponsePolicy,
    /// By survey weight.
    pub weighted: bool,
    /// Which interval of an NPS.
    pub interval: NpsInterval,
}
