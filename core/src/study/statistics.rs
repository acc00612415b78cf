//! Mean and standard deviation over seeds, and the units figures are shown in.

use serde::Serialize;

use crate::metrics::nlg::{NlgMetric, Scale};

/// Some values of one figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation over n − 1; `None` of a single value.
    pub sd: Option<f64>,
}

impl Spread {
    /// Of these values; `None` of none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let square = |value: &f64| (value - mean) * (value - mean);
        let sd = (n > 1).then(|| (values.iter().map(square).sum::<f64>() / (n - 1) as f64).sqrt());
        Some(Self { n, mean, sd })
    }

    /// `91.20 ± 0.31`.
    #[must_use]
    pub fn text(&self) -> String {
        match self.sd {
            Some(sd) => format!("{:.2} ± {sd:.2}", self.mean),
            None => format!("{:.2}", self.mean),
        }
    }

    /// The same with its sign, for differences.
    #[must_use]
    pub fn signed_text(&self) -> String {
        match self.sd {
            Some(sd) => format!("{:+.2} ± {sd:.2}", self.mean),
            None => format!("{:+.2}", self.mean),
        }
    }
}

/// What a figure is multiplied by in tables: shares and correlations are shown in points, from 0 to 100, as are the
/// figures of texts that are fractions; TER stays one, as papers print it.
#[must_use]
pub fn points(metric: &str) -> f64 {
    if let Some(of_texts) = NlgMetric::from_name(metric) {
        return if of_texts.scale == Scale::Fraction && of_texts.greater_is_better { 100.0 } else { 1.0 };
    }
    let is_share = ["accuracy", "f1", "matthews", "pearson", "spearman"];
    if is_share.iter().any(|name| metric.starts_with(name)) { 100.0 } else { 1.0 }
}

/// Whether less of a figure is better.
#[must_use]
pub fn less_is_better(metric: &str) -> bool {
    let of_texts = NlgMetric::from_name(metric).is_some_and(|metric| !metric.greater_is_better);
    of_texts || ["loss", "perplexity"].contains(&metric)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[2.0]), Some(Spread { n: 1, mean: 2.0, sd: None }));
        let three = Spread::of(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(three, Spread { n: 3, mean: 2.0, sd: Some(1.0) });
        assert_eq!((three.text(), three.signed_text()), ("2.00 ± 1.00".into(), "+2.00 ± 1.00".into()));
    }

    #[test]
    fn shares_are_shown_in_points() {
        assert_eq!((points("accuracy_mm"), points("pearson"), points("bleu")), (100.0, 100.0, 100.0));
        assert_eq!(
            (points("bleu-moses"), points("nist"), points("ter"), points("loss")),
            (1.0, 1.0, 1.0, 1.0)
        );
        assert!(less_is_better("ter") && !less_is_better("accuracy"));
    }
}
