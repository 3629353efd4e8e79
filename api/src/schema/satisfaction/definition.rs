//! How each figure is worked out, in words.

use async_graphql::SimpleObject;
use cx_model::Metric;

use super::NpsInterval;

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

/// The definition of a figure.
pub(super) fn definition(metric: Metric, interval: NpsInterval) -> Definition {
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
