//! Figures over the cells of the satisfaction view.

mod sums;

use std::collections::BTreeMap;

use async_graphql::{Context, Result};
use cx_model::event::Scale as ModelScale;
use cx_model::metrics::{self, NpsInterval as Formula};
use cx_model::{InstrumentId, Metric, Month, Position, ScaleDirection, TouchpointId};
use cx_projections::Scan;
use cx_projections::views::{Cell, Instrument, Satisfaction, Touchpoint};

use super::definition::definition;
use super::{
    NpsInterval, NpsParts, ResponsePolicy, SatisfactionDimension, SatisfactionFigure,
    SatisfactionGroup, SatisfactionQuestion, ScoreFrequency,
};
use crate::schema::catalogue::Scale;
use crate::schema::reading::{self, Standing};
use sums::{Sum, Sums};

/// What the cells of one figure share.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct FigureKey {
    metric: Metric,
    scale: (i32, i32, ScaleDirection),
    group: SatisfactionGroup,
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
            let mut sums = Sums::new(question)?;
            let scan = match question.filter.instrument {
                Some(instrument) => Scan::under(&instrument),
                None => Scan::all(),
            };
            let seen = snapshot.visit(&scan, |row| {
                let Some(part) = sums.part_of(&row.key.attribute) else { return true };
                if let Some(key) = figure_of(question, &row.key, &instruments, &touchpoints) {
                    let scores = match question.policy {
                        ResponsePolicy::Latest => &row.view.latest,
                        ResponsePolicy::First => &row.view.first,
                        ResponsePolicy::All => &row.view.all,
                    };
                    sums.add(key, part, scores, row.key);
                }
                true
            });
            seen.map_err(reading::read_failed)?;
            Ok((sums.finish()?, snapshot.as_of()))
        })
        .await?;
    let figure = |(key, sum)| figure(question, key, sum, as_of, standing.clone());
    Ok(sums.into_iter().map(figure).collect())
}

/// The figure a cell belongs to, attributes aside; `None` if it is not asked about.
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
    let mut group = SatisfactionGroup::default();
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
    let missing = key.group.attribute_missing;
    let without = question.by_attribute.clone().filter(|_| missing);
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
            .or_else(|| metrics::effective_n(scores, scale, weighted)),
        small_sample: n < metrics::SMALL_SAMPLE,
        scale: Scale { min, max, direction },
        nps: nps.map(|nps| NpsParts {
            promoters: nps.promoters as i64,
            passives: nps.passives as i64,
            detractors: nps.detractors as i64,
        }),
        distribution: scores.by_score.iter().map(frequency).collect(),
        definition: definition(key.metric, question.interval, weighted),
        as_of,
        cells: sum.cells,
        without,
        standing,
    }
}
