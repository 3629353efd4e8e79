//! How each figure is worked out, in words.

use async_graphql::SimpleObject;
use cx_model::Metric;

use super::NpsInterval;

/// How a figure is worked out.
#[derive(Debug, Clone, SimpleObject)]
pub struct Definition {
    /// Its name; a weighted figure has one of its own.
    pub name: &'static str,
    /// Its version: another version may give another figure.
    pub version: i32,
    /// The formula.
    pub text: String,
}

/// What the formulas of weighted figures use.
const WEIGHTS: &str =
    "w is the survey weight of a response, 1 where it has none; n_eff = (Σw)²/Σw² (Kish)";

/// The definition of a figure.
pub(super) fn definition(metric: Metric, interval: NpsInterval, weighted: bool) -> Definition {
    let name = match (metric, weighted) {
        (Metric::Nps, false) => "nps",
        (Metric::Nps, true) => "weighted_nps",
        (Metric::Csat, false) => "csat",
        (Metric::Csat, true) => "weighted_csat",
        (Metric::Ces, false) => "ces",
        (Metric::Ces, true) => "weighted_ces",
        (Metric::Other, false) => "mean",
        (Metric::Other, true) => "weighted_mean",
    };
    let figure = match (metric, weighted) {
        (Metric::Nps, false) => "100 (promoters 9-10 - detractors 0-6) / n",
        (Metric::Nps, true) => "100 (Σw of promoters 9-10 - Σw of detractors 0-6) / Σw",
        (Metric::Csat, false) => "share of answers in the two best boxes of the scale",
        (Metric::Csat, true) => "Σw of answers in the two best boxes of the scale / Σw",
        (Metric::Ces, false) => {
            "customer effort score 2.0: share of 5 and above on a scale from 1 to 7"
        }
        (Metric::Ces, true) => {
            "customer effort score 2.0: Σw of 5 and above on a scale from 1 to 7 / Σw"
        }
        (Metric::Other, false) => "mean of the scores",
        (Metric::Other, true) => "Σ(w score) / Σw",
    };
    let n = if weighted { "n_eff" } else { "n" };
    let around = match (metric, interval) {
        (Metric::Nps, NpsInterval::AdjustedWald) => {
            let ends = if weighted {
                "p' = (p n_eff+3/4)/n', d' = (d n_eff+3/4)/n', p and d the shares of Σw of \
                 promoters and detractors"
            } else {
                "p' = (promoters+3/4)/n', d' = (detractors+3/4)/n'"
            };
            format!(
                "adjusted Wald interval (Rocks 2016): 100 ((p'-d') ± z sqrt((p'+d'-(p'-d')²)/n')), \
                 n' = {n}+3, {ends}, z = 1.96"
            )
        }
        (Metric::Nps, NpsInterval::Wald) => {
            let of = if weighted { " of Σw" } else { "" };
            format!(
                "Wald interval: 100 ((p-d) ± z sqrt((p+d-(p-d)²)/{n})), p and d the shares{of} of \
                 promoters and detractors, z = 1.96"
            )
        }
        (Metric::Csat | Metric::Ces, _) => format!(
            "Wilson interval: (p + z²/(2 {n}) ± z sqrt(p(1-p)/{n} + z²/(4 {n}²))) / (1 + z²/{n}), p the \
             figure, z = 1.96"
        ),
        (Metric::Other, _) => "no interval".to_owned(),
    };
    let weights = if weighted { format!("; {WEIGHTS}") } else { String::new() };
    Definition { name, version: 1, text: format!("{figure}; {around}{weights}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_figure_names_what_it_was_computed_with() {
        let mut texts = BTreeSet::new();
        for metric in [Metric::Nps, Metric::Csat, Metric::Ces, Metric::Other] {
            for interval in [NpsInterval::AdjustedWald, NpsInterval::Wald] {
                let plain = definition(metric, interval, false);
                let weighted = definition(metric, interval, true);
                assert_eq!(weighted.name, format!("weighted_{}", plain.name));
                assert!(!plain.text.contains('Σ'), "{}", plain.text);
                assert!(weighted.text.contains("/ Σw"), "{}", weighted.text);
                assert!(weighted.text.contains("n_eff = (Σw)²/Σw² (Kish)"), "{}", weighted.text);
                let kind = match (metric, interval) {
                    (Metric::Nps, NpsInterval::AdjustedWald) => "adjusted Wald interval",
                    (Metric::Nps, NpsInterval::Wald) => "Wald interval",
                    (Metric::Csat | Metric::Ces, _) => "Wilson interval",
                    (Metric::Other, _) => "no interval",
                };
                for definition in [plain, weighted] {
                    assert!(definition.text.contains(&format!("; {kind}")), "{}", definition.text);
                    texts.insert(definition.text);
                }
            }
        }
        assert_eq!(texts.len(), 10, "only an NPS has two intervals");
    }
}
