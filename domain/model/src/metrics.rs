//! The figures of customer experience, as functions of counts.
//!
//! All shares lie between 0 and 1, NPS between -100 and 100. Out of range is missing, never 0; a
//! figure over nothing is `None`, never 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::event::Scale;
use crate::vocabulary::ScaleDirection;

/// The 97.5th percentile of the normal distribution: intervals hold the truth 95 times in 100.
pub const Z: f64 = 1.959_963_984_540_054;

/// Below this many answers a figure is marked as a small sample.
pub const SMALL_SAMPLE: u64 = 30;

/// One score's answers: how many, and the sums of their weights and squared weights. Where it is
/// shown to people, as in JSON, weights are decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreCount {
    /// Answers.
    pub n: i64,
    /// Sum of weights, in millionths.
    #[serde(serialize_with = "in_millionths")]
    pub weight: i128,
    /// Sum of squared weights, in millionths of millionths.
    #[serde(serialize_with = "in_millionths_squared")]
    pub weight_squared: i128,
}

fn in_millionths<S: Serializer>(sum: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    decimal(*sum, 1e6, serializer)
}

fn in_millionths_squared<S: Serializer>(sum: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    decimal(*sum, 1e12, serializer)
}

/// A whole number of parts; for people, as in JSON, the decimal number they make.
fn decimal<S: Serializer>(parts: i128, a_whole: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_f64(parts as f64 / a_whole)
    } else {
        serializer.serialize_i128(parts)
    }
}

impl ScoreCount {
    /// One answer of a weight, or with `sign` -1 the taking back of one.
    pub fn one(weight_millionths: u64, sign: i64) -> Self {
        let weight = i128::from(weight_millionths);
        let sign_wide = i128::from(sign);
        let weight_squared = sign_wide * weight.saturating_mul(weight);
        Self { n: sign, weight: sign_wide * weight, weight_squared }
    }

    /// Adds the answers of another.
    pub fn add(&mut self, other: Self) {
        // Recorded weights are bounded, so that sums never come near their ends; a fold must not
        // fail over an event that came in another way.
        self.n = self.n.saturating_add(other.n);
        self.weight = self.weight.saturating_add(other.weight);
        self.weight_squared = self.weight_squared.saturating_add(other.weight_squared);
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// How often each score was given, and how often none was. Sums of integers: they commute, so the
/// order in which answers arrive does not show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scores {
    /// By score.
    pub by_score: BTreeMap<i32, ScoreCount>,
    /// Asked and not answered.
    pub blank: i64,
    /// Answered with "does not apply".
    pub not_applicable: i64,
}

impl Scores {
    /// Adds the answers of another.
    pub fn add(&mut self, other: &Self) {
        for (score, count) in &other.by_score {
            let sum = self.by_score.entry(*score).or_default();
            sum.add(*count);
            if sum.is_empty() {
                self.by_score.remove(score);
            }
        }
        self.blank += other.blank;
        self.not_applicable += other.not_applicable;
    }

    /// Nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.by_score.is_empty() && self.blank == 0 && self.not_applicable == 0
    }

    /// Answers within a scale that meet a condition.
    fn sum(&self, scale: Scale, meets: impl Fn(i32) -> bool) -> ScoreCount {
        let mut sum = ScoreCount::default();
        for (score, count) in &self.by_score {
            if (scale.min..=scale.max).contains(score) && meets(*score) {
                sum.add(*count);
            }
        }
        sum
    }

    /// Answers within the scale.
    pub fn n(&self, scale: Scale) -> u64 {
        self.sum(scale, |_| true).n.max(0) as u64
    }

    /// Asked, and neither answered on the scale nor "does not apply". Out of range is missing.
    pub fn missing(&self, scale: Scale) -> u64 {
        let outside: i64 = self
            .by_score
            .iter()
            .filter(|(score, _)| !(scale.min..=scale.max).contains(*score))
            .map(|(_, count)| count.n)
            .sum();
        (self.blank + outside).max(0) as u64
    }
}

/// An interval that holds the true value 95 times in 100.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Which interval stands beside an NPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NpsInterval {
    /// Adjusted Wald (Rocks 2016): three answers are added, a quarter of each to both ends.
    #[default]
    AdjustedWald,
    /// Plain Wald.
    Wald,
}

/// A net promoter score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nps {
    /// 100 (promoters - detractors) / n.
    pub value: f64,
    /// Its interval, in points, clamped to -100..100.
    pub interval: Interval,
    /// Answers 9 and 10.
    pub promoters: u64,
    /// Answers 7 and 8.
    pub passives: u64,
    /// Answers 0 to 6.
    pub detractors: u64,
    /// All three: for a weighted figure Kish's effective n, (Σw)²/Σw².
    pub effective_n: f64,
}

/// The scale of the recommendation question.
pub const NPS_SCALE: Scale = Scale { min: 0, max: 10, direction: ScaleDirection::HigherIsBetter };

/// Net promoter score of answers from 0 to 10: promoters 9-10, detractors 0-6 (Reichheld 2003).
///
/// The interval is adjusted Wald: n' = n+3, P' = P+3/4, D' = D+3/4, p = P'/n', d = D'/n',
/// (p-d) ± z·sqrt((p+d-(p-d)²)/n'), with plain Wald on request. Weighted, P, D and n are scaled
/// to Kish's effective n.
pub fn nps(scores: &Scores, weighted: bool, kind: NpsInterval) -> Option<Nps> {
    let all = scores.sum(NPS_SCALE, |_| true);
    let promoters = scores.sum(NPS_SCALE, |score| score >= 9);
    let detractors = scores.sum(NPS_SCALE, |score| score <= 6);
    if all.n <= 0 || (weighted && all.weight <= 0) {
        return None;
    }
    let share = |part: ScoreCount| {
        if weighted { part.weight as f64 / all.weight as f64 } else { part.n as f64 / all.n as f64 }
    };
    let (p, d) = (share(promoters), share(detractors));
    let n = kish(all, weighted);
    let (center, variance, n_used) = match kind {
        NpsInterval::Wald => (p - d, p + d - (p - d) * (p - d), n),
        NpsInterval::AdjustedWald => {
            let n_adjusted = n + 3.0;
            let (p, d) = ((p * n + 0.75) / n_adjusted, (d * n + 0.75) / n_adjusted);
            (p - d, p + d - (p - d) * (p - d), n_adjusted)
        }
    };
    let half = Z * (variance.max(0.0) / n_used).sqrt();
    let clamp = |value: f64| (100.0 * value).clamp(-100.0, 100.0);
    Some(Nps {
        value: 100.0 * (p - d),
        interval: Interval { low: clamp(center - half), high: clamp(center + half) },
        promoters: promoters.n.max(0) as u64,
        passives: (all.n - promoters.n - detractors.n).max(0) as u64,
        detractors: detractors.n.max(0) as u64,
        effective_n: n,
    })
}

/// Kish's effective sample size of the answers within the scale; unweighted it is n.
pub fn effective_n(scores: &Scores, scale: Scale, weighted: bool) -> Option<f64> {
    let all = scores.sum(scale, |_| true);
    (all.n > 0).then(|| kish(all, weighted))
}

/// Kish's effective sample size (Σw)²/Σw²; unweighted it is n.
fn kish(all: ScoreCount, weighted: bool) -> f64 {
    if weighted && all.weight_squared > 0 {
        let weight = all.weight as f64;
        weight * weight / all.weight_squared as f64
    } else {
        all.n as f64
    }
}

/// A share of answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Between 0 and 1.
    pub value: f64,
    /// Wilson's interval.
    pub interval: Interval,
    /// Answers that meet the condition.
    pub hits: u64,
    /// All answers: for a weighted figure Kish's effective n.
    pub effective_n: f64,
}

/// Wilson's interval of a share of n: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
pub fn wilson(p: f64, n: f64) -> Interval {
    let z2n = Z * Z / n;
    let center = p + z2n / 2.0;
    let half = Z * (p * (1.0 - p) / n + z2n / (4.0 * n)).sqrt();
    let clamp = |value: f64| value.clamp(0.0, 1.0);
    // At the ends the formula gives exactly 0 and 1; rounding must not say otherwise.
    let low = if p <= 0.0 { 0.0 } else { clamp((center - half) / (1.0 + z2n)) };
    let high = if p >= 1.0 { 1.0 } else { clamp((center + half) / (1.0 + z2n)) };
    Interval { low, high }
}

fn share(
    scores: &Scores,
    scale: Scale,
    weighted: bool,
    meets: impl Fn(i32) -> bool,
) -> Option<Share> {
    let all = scores.sum(scale, |_| true);
    let hits = scores.sum(scale, meets);
    if all.n <= 0 || (weighted && all.weight <= 0) {
        return None;
    }
    let value = if weighted {
        hits.weight as f64 / all.weight as f64
    } else {
        hits.n as f64 / all.n as f64
    };
    let n = kish(all, weighted);
    Some(Share { value, interval: wilson(value, n), hits: hits.n.max(0) as u64, effective_n: n })
}

/// Customer satisfaction: the share of answers in the two best boxes of the scale.
pub fn csat(scores: &Scores, scale: Scale, weighted: bool) -> Option<Share> {
    match scale.direction {
        ScaleDirection::HigherIsBetter => {
            share(scores, scale, weighted, |score| score > scale.max - 2)
        }
        ScaleDirection::LowerIsBetter => {
            share(scores, scale, weighted, |score| score < scale.min + 2)
        }
    }
}

/// The scale of the effort question: 1 to 7, agreement with "made it easy".
pub const CES_SCALE: Scale = Scale { min: 1, max: 7, direction: ScaleDirection::HigherIsBetter };

/// Customer effort score 2.0: the share of 5 and above on a scale from 1 to 7.
pub fn ces(scores: &Scores, weighted: bool) -> Option<Share> {
    share(scores, CES_SCALE, weighted, |score| score >= 5)
}

/// The mean of the answers within the scale.
pub fn mean(scores: &Scores, scale: Scale, weighted: bool) -> Option<f64> {
    let within = scores.by_score.iter().filter(|(s, _)| (scale.min..=scale.max).contains(*s));
    let (mut sum, mut n) = (0.0, 0.0);
    for (score, count) in within {
        let weight = if weighted { count.weight as f64 } else { count.n as f64 };
        sum += f64::from(*score) * weight;
        n += weight;
    }
    (n > 0.0).then(|| sum / n)
}

/// How a score felt, in thousandths from -1000 to 1000: (score - middle) / half the range.
/// `None` outside the scale, and on a scale of one score.
pub fn valence_thousandths(score: i32, scale: Scale) -> Option<i32> {
    let range = i64::from(scale.max) - i64::from(scale.min);
    if range <= 0 || !(scale.min..=scale.max).contains(&score) {
        return None;
    }
    let twice = 2 * i64::from(score) - i64::from(scale.min) - i64::from(scale.max);
    let valence = 1000 * twice / range;
    Some(match scale.direction {
        ScaleDirection::HigherIsBetter => valence,
        ScaleDirection::LowerIsBetter => -valence,
    } as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(counts: &[(i32, i64)]) -> Scores {
        let mut scores = Scores::default();
        for (score, n) in counts {
            let mut count = ScoreCount::default();
            for _ in 0..*n {
                count.add(ScoreCount::one(1_000_000, 1));
            }
            scores.by_score.insert(*score, count);
        }
        scores
    }

    fn close(a: f64, b: f64, digits: i32) {
        assert!((a - b).abs() <= 0.5 * 10f64.powi(-digits), "{a} is not {b}");
    }

    #[test]
    fn nps_of_four_promoters_has_the_adjusted_wald_interval() {
        let nps = nps(&scores(&[(10, 4)]), false, NpsInterval::AdjustedWald).unwrap();
        close(nps.value, 100.0, 6);
        close(nps.interval.low, 57.1 - 50.2, 0);
        close(nps.interval.high, 100.0, 6);
    }

    #[test]
    fn wilson_gives_the_textbook_vectors() {
        for (hits, n, low, high) in [
            (0.0, 5.0, 0.0, 0.4345),
            (5.0, 5.0, 0.5655, 1.0),
            (3.0, 4.0, 0.3006, 0.9544),
            (1.0, 1.0, 0.2065, 1.0),
        ] {
            let interval = wilson(hits / n, n);
            close(interval.low, low, 4);
            close(interval.high, high, 4);
        }
    }

    #[test]
    fn nothing_answered_gives_no_figure() {
        let nothing = Scores { blank: 3, not_applicable: 2, ..Scores::default() };
        assert_eq!(nps(&nothing, false, NpsInterval::Wald), None);
        assert_eq!(csat(&nothing, CES_SCALE, false), None);
        assert_eq!(mean(&nothing, CES_SCALE, true), None);
        assert_eq!(nothing.missing(NPS_SCALE), 3);
    }

    #[test]
    fn out_of_range_is_missing_and_zero_is_a_value() {
        let scores = scores(&[(0, 1), (11, 2), (10, 1)]);
        assert_eq!(scores.n(NPS_SCALE), 2);
        assert_eq!(scores.missing(NPS_SCALE), 2);
        close(nps(&scores, false, NpsInterval::Wald).unwrap().value, 0.0, 9);
    }

    #[test]
    fn adding_and_taking_back_leaves_nothing() {
        let mut sum = scores(&[(3, 2)]);
        let mut back = Scores::default();
        back.by_score.insert(
            3,
            ScoreCount { n: -2, weight: -2_000_000, weight_squared: -2_000_000_000_000 },
        );
        sum.add(&back);
        assert!(sum.is_empty());
    }

    #[test]
    fn a_low_score_is_good_on_a_scale_that_says_so() {
        let scale = Scale { min: 1, max: 5, direction: ScaleDirection::LowerIsBetter };
        close(csat(&scores(&[(1, 1), (2, 1), (5, 2)]), scale, false).unwrap().value, 0.5, 9);
        assert_eq!(valence_thousandths(1, scale), Some(1000));
        assert_eq!(valence_thousandths(3, scale), Some(0));
        assert_eq!(valence_thousandths(6, scale), None);
    }

    #[test]
    fn weights_use_kish_effective_n() {
        let mut weighted = Scores::default();
        weighted.by_score.insert(10, ScoreCount::one(2_000_000, 1));
        weighted.by_score.insert(0, ScoreCount::one(1_000_000, 1));
        let nps = nps(&weighted, true, NpsInterval::Wald).unwrap();
        close(nps.value, 100.0 / 3.0, 9);
        close(nps.effective_n, 9.0 / 5.0, 9);
        close(effective_n(&weighted, NPS_SCALE, true).unwrap(), 9.0 / 5.0, 9);
        close(effective_n(&weighted, NPS_SCALE, false).unwrap(), 2.0, 9);
    }
}
