//! How satisfied customers are: figures over the cells of the satisfaction view.

use std::collections::BTreeMap;

use async_graphql::{Context, Enum, InputObject, Result, SimpleObject};
use cx_model::event::Scale as ModelScale;
use cx_model::metrics::{self, Interval, NpsInterval as Formula, Scores};
use cx_model::{
    Channel, DivisionId, InstrumentId, Metric, Position, ScaleDirection, Stage, TouchpointId,
};
use cx_projections::Scan;
use cx_projections::views::{Cell, Instrument, Satisfaction, Touchpoint};

use super::catalogue::Scale;
use super::reading::{self, Standing};
use super::scalars::Month;

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
    /// Of responses with this attribute.
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

/// How a figure is worked out.
#[derive(Debug, Clone, SimpleObject)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its version: another version may give another figure.
    pub version: i32,
    /// The formula.
    pub text: &'static str,
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
    /// The value of the attribute that was asked for with `byAttribute`.
    pub attribute: Option<String>,
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

/// What the cells of one figure share.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FigureKey {
    metric: Metric,
    scale: (i32, i32, ScaleDirection),
    group: SatisfactionGroup,
}

#[derive(Default)]
struct Sum {
    scores: Scores,
    cells: Vec<Cell>,
}

/// Works out the figures.
pub async fn figures(
    ctx: &Context<'_>,
    question: &SatisfactionQuestion,
    standing: &Standing,
) -> Result<Vec<SatisfactionFigure>> {
    let instruments: BTreeMap<InstrumentId, Instrument> = standing
        .read::<Instrument, _>(ctx, |snapshot| {
            let rows = reading::scan(snapshot, &Scan::all())?;
            Ok(rows.into_iter().map(|row| (row.key, row.view)).collect())
        })
        .await?;
    let touchpoints: BTreeMap<TouchpointId, Touchpoint> = standing
        .read::<Touchpoint, _>(ctx, |snapshot| {
            let rows = reading::scan(snapshot, &Scan::all())?;
            Ok(rows.into_iter().map(|row| (row.key, row.view)).collect())
        })
        .await?;
    let (sums, as_of) = standing
        .read::<Satisfaction, _>(ctx, |snapshot| {
            let mut sums: BTreeMap<FigureKey, Sum> = BTreeMap::new();
            let scan = match question.filter.instrument {
                Some(instrument) => Scan::under(&instrument),
                None => Scan::all(),
            };
            let seen = snapshot.visit(&scan, |row| {
                let key = figure_of(question, &row.key, &instruments, &touchpoints);
                if let Some(key) = key {
                    let sum = sums.entry(key).or_default();
                    sum.scores.add(match question.policy {
                        ResponsePolicy::Latest => &row.view.latest,
                        ResponsePolicy::First => &row.view.first,
                        ResponsePolicy::All => &row.view.all,
                    });
                    sum.cells.push(row.key);
                }
                true
            });
            seen.map_err(reading::read_failed)?;
            Ok((sums, snapshot.as_of()))
        })
        .await?;
    let figure = |(key, sum)| figure(question, key, sum, as_of, standing.clone());
    Ok(sums.into_iter().map(figure).collect())
}

/// The figure a cell belongs to; `None` if it is not asked about.
fn figure_of(
    question: &SatisfactionQuestion,
    cell: &Cell,
    instruments: &BTreeMap<InstrumentId, Instrument>,
    touchpoints: &BTreeMap<TouchpointId, Touchpoint>,
) -> Option<FigureKey> {
    let filter = &question.filter;
    let instrument = instruments.get(&cell.instrument)?;
    let asked = instrument.questions.iter().find(|asked| asked.name == cell.question)?;
    let scale = asked.scale?;
    let touchpoint_id = cell.touchpoint.or(asked.touchpoint);
    let touchpoint = touchpoint_id.and_then(|id| touchpoints.get(&id));
    let attribute = match (&filter.attribute, &question.by_attribute) {
        (Some(only), _) => {
            (cell.attribute == format!("{}={}", only.name, only.value)).then_some(None)
        }
        (None, Some(name)) => {
            let value = cell.attribute.strip_prefix(name.as_str())?.strip_prefix('=')?;
            Some(Some(value.to_owned()))
        }
        (None, None) => cell.attribute.is_empty().then_some(None),
    }?;
    let channel = touchpoint.and_then(|row| row.channel);
    let stage = touchpoint.and_then(|row| row.stage);
    let division = touchpoint.and_then(|row| row.division);
    let month = Month(cell.month);
    let wanted = filter.question.as_ref().is_none_or(|name| *name == cell.question)
        && filter.metric.is_none_or(|metric| metric == asked.metric)
        && filter.touchpoint.is_none_or(|wanted| Some(wanted) == touchpoint_id)
        && filter.channel.is_none_or(|wanted| Some(wanted) == channel)
        && filter.stage.is_none_or(|wanted| Some(wanted) == stage)
        && filter.division.is_none_or(|wanted| Some(wanted) == division)
        && filter.from.is_none_or(|from| month >= from)
        && filter.to.is_none_or(|to| month <= to);
    if !wanted {
        return None;
    }
    let mut group = SatisfactionGroup { attribute, ..SatisfactionGroup::default() };
    for dimension in &question.by {
        match dimension {
            SatisfactionDimension::Instrument => {
                group.instrument = Some(cell.instrument);
                group.instrument_name = Some(instrument.name.clone());
            }
            SatisfactionDimension::Question => {
                group.question = Some(cell.question.clone());
                group.wording = Some(asked.wording.clone());
            }
            SatisfactionDimension::Touchpoint => {
                group.touchpoint = touchpoint_id;
                group.touchpoint_name = touchpoint.map(|row| row.name.clone());
            }
            SatisfactionDimension::Channel => group.channel = channel,
            SatisfactionDimension::Stage => group.stage = stage,
            SatisfactionDimension::Division => group.division = division,
            SatisfactionDimension::Month => group.month = Some(month),
        }
    }
    Some(FigureKey { metric: asked.metric, scale, group })
}

fn figure(
    question: &SatisfactionQuestion,
    key: FigureKey,
    sum: Sum,
    as_of: Position,
    standing: Standing,
) -> SatisfactionFigure {
    let (min, max, direction) = key.scale;
    let scale = ModelScale { min, max, direction };
    let scores = &sum.scores;
    let weighted = question.weighted;
    let formula = match question.interval {
        NpsInterval::AdjustedWald => Formula::AdjustedWald,
        NpsInterval::Wald => Formula::Wald,
    };
    let nps =
        (key.metric == Metric::Nps).then(|| metrics::nps(scores, weighted, formula)).flatten();
    let share = match key.metric {
        Metric::Csat => metrics::csat(scores, scale, weighted),
        Metric::Ces => metrics::ces(scores, weighted),
        Metric::Nps | Metric::Other => None,
    };
    let n = scores.n(scale);
    let frequency =
        |(score, count): (&i32, &metrics::ScoreCount)| ScoreFrequency { score: *score, n: count.n };
    SatisfactionFigure {
        metric: key.metric,
        group: key.group,
        value: nps.map(|nps| nps.value).or(share.map(|share| share.value)),
        interval: nps.map(|nps| nps.interval).or(share.map(|share| share.interval)),
        mean: metrics::mean(scores, scale, weighted),
        n: n as i64,
        missing: scores.missing(scale) as i64,
        not_applicable: scores.not_applicable,
        effective_n: nps
            .map(|nps| nps.effective_n)
            .or(share.map(|share| share.effective_n))
            .or((n > 0).then_some(n as f64)),
        small_sample: n < metrics::SMALL_SAMPLE,
        scale: Scale { min, max, direction },
        nps: nps.map(|nps| NpsParts {
            promoters: nps.promoters as i64,
            passives: nps.passives as i64,
            detractors: nps.detractors as i64,
        }),
        distribution: scores.by_score.iter().map(frequency).collect(),
        definition: definition(key.metric, question.interval),
        as_of,
        cells: sum.cells,
        standing,
    }
}

fn definition(metric: Metric, interval: NpsInterval) -> Definition {
    let (name, text) = match (metric, interval) {
        (Metric::Nps, NpsInterval::AdjustedWald) => (
            "nps",
            "100 (promoters 9-10 - detractors 0-6) / n; adjusted Wald interval (Rocks 2016): \
             n' = n+3, P' = P+3/4, D' = D+3/4, p = P'/n', d = D'/n', \
             (p-d) ± 1.96 sqrt((p+d-(p-d)²)/n')",
        ),
        (Metric::Nps, NpsInterval::Wald) => (
            "nps",
            "100 (promoters 9-10 - detractors 0-6) / n; Wald interval: \
             (p-d) ± 1.96 sqrt((p+d-(p-d)²)/n)",
        ),
        (Metric::Csat, _) => (
            "csat",
            "share of answers in the two best boxes of the scale; Wilson interval: \
             (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.96",
        ),
        (Metric::Ces, _) => (
            "ces",
            "customer effort score 2.0: share of 5 and above on a scale from 1 to 7; Wilson interval",
        ),
        (Metric::Other, _) => ("mean", "mean of the scores; no interval"),
    };
    Definition { name, version: 1, text }
}
