//! Metrics of classification, all from the confusion matrix, with scikit-learn's conventions where a
//! denominator is zero.

use serde::{Deserialize, Serialize};

/// How often each true class was predicted as which class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    n_classes: usize,
    /// (N, N) row by row; the row is the true class, the column the predicted one.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// No predictions yet.
    #[must_use]
    pub fn new(n_classes: usize) -> Self {
        Self { n_classes, counts: vec![0; n_classes * n_classes] }
    }

    /// Counts one prediction.
    ///
    /// # Panics
    /// If the classes are not below N.
    pub fn add(&mut self, class: usize, predicted: usize) {
        self.counts[class * self.n_classes + predicted] += 1;
    }

    /// N.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// How often `class` was predicted as `predicted`.
    #[must_use]
    pub fn count(&self, class: usize, predicted: usize) -> u64 {
        self.counts[class * self.n_classes + predicted]
    }

    /// Share of right answers; 0 if there are none at all.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.n_right() as f64 / self.total().max(1) as f64
    }

    /// Harmonic mean of precision and recall of one class; 0 if it neither occurs nor is predicted.
    #[must_use]
    pub fn f1(&self, class: usize) -> f64 {
        // 2 TP / (2 TP + FP + FN) is the same and has one denominator.
        let denominator = self.n_true(class) + self.n_predicted(class);
        2.0 * self.count(class, class) as f64 / denominator.max(1) as f64
    }

    /// Mean of the F1 of the classes that occur or are predicted.
    #[must_use]
    pub fn f1_macro(&self) -> f64 {
        let seen: Vec<usize> =
            (0..self.n_classes).filter(|&class| self.n_true(class) + self.n_predicted(class) > 0).collect();
        seen.iter().map(|&class| self.f1(class)).sum::<f64>() / seen.len().max(1) as f64
    }

    /// Matthews' correlation coefficient, for any number of classes (Gorodkin 2004). 0 if its denominator is
    /// 0, that is if all examples have one class or all predictions are one class.
    #[must_use]
    pub fn matthews_correlation(&self) -> f64 {
        let total = self.total() as f64;
        let sum = |term: &dyn Fn(usize) -> u64, other: &dyn Fn(usize) -> u64| -> f64 {
            (0..self.n_classes).map(|class| term(class) as f64 * other(class) as f64).sum()
        };
        let (is, says) = (|class| self.n_true(class), |class| self.n_predicted(class));
        let covariance = self.n_right() as f64 * total - sum(&is, &says);
        let denominator = (total * total - sum(&is, &is)) * (total * total - sum(&says, &says));
        if denominator == 0.0 { 0.0 } else { covariance / denominator.sqrt() }
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn n_right(&self) -> u64 {
        (0..self.n_classes).map(|class| self.count(class, class)).sum()
    }

    fn n_true(&self, class: usize) -> u64 {
        (0..self.n_classes).map(|predicted| self.count(class, predicted)).sum()
    }

    fn n_predicted(&self, predicted: usize) -> u64 {
        (0..self.n_classes).map(|class| self.count(class, predicted)).sum()
    }
}

/// Index of the largest value, the first of equal ones; a value that is no number is never the largest.
#[must_use]
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, &value) in values.iter().enumerate() {
        if value > values[best] || (values[best].is_nan() && !value.is_nan()) {
            best = index;
        }
    }
    best
}

/// Probabilities of the classes from their logits, in double precision.
#[must_use]
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    // The largest logit is taken off first, so that no exponential overflows.
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Mean of -log softmax(logits)[class] over B rows of N logits, in double precision. 0 without rows.
#[must_use]
pub fn mean_cross_entropy(logits: &[f32], classes: &[u32], n_classes: usize) -> f64 {
    let loss = |row: &[f32], class: usize| {
        // The largest logit is taken out so that the exponentials stay finite.
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
        sum.ln() - f64::from(row[class] - largest)
    };
    let rows = logits.chunks_exact(n_classes).zip(classes);
    rows.map(|(row, &class)| loss(row, class as usize)).sum::<f64>() / classes.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(n_classes: usize, pairs: &[(usize, usize)]) -> ConfusionMatrix {
        let mut confusion = ConfusionMatrix::new(n_classes);
        pairs.iter().for_each(|&(class, predicted)| confusion.add(class, predicted));
        confusion
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn two_classes_by_hand() {
        // TP 3, FN 1, FP 2, TN 4.
        let pairs = [[(1, 1); 3].as_slice(), &[(1, 0)], &[(0, 1); 2], &[(0, 0); 4]].concat();
        let confusion = confusion(2, &pairs);
        close(confusion.accuracy(), 0.7);
        close(confusion.f1(1), 6.0 / 9.0);
        close(confusion.f1(0), 8.0 / 11.0);
        close(confusion.matthews_correlation(), 10.0 / 600_f64.sqrt());
        assert_eq!((confusion.count(1, 0), confusion.count(0, 1)), (1, 2));
    }

    #[test]
    fn three_classes_by_hand() {
        let confusion = confusion(3, &[(0, 0), (0, 0), (1, 1), (1, 2), (2, 2), (2, 0)]);
        close(confusion.accuracy(), 4.0 / 6.0);
        close(confusion.f1_macro(), (0.8 + 2.0 / 3.0 + 0.5) / 3.0);
        // c s - Σ t p = 24 - 12; s² - Σ p² = 36 - 14; s² - Σ t² = 36 - 12.
        close(confusion.matthews_correlation(), 12.0 / (22.0_f64 * 24.0).sqrt());
    }

    #[test]
    fn undefined_cases_are_zero() {
        let one_prediction = confusion(2, &[(0, 0), (1, 0)]);
        close(one_prediction.matthews_correlation(), 0.0);
        close(one_prediction.f1(1), 0.0);
        let empty = ConfusionMatrix::new(2);
        assert_eq!((empty.accuracy(), empty.f1_macro(), empty.matthews_correlation()), (0.0, 0.0, 0.0));
        // A class that neither occurs nor is predicted does not lower the mean.
        close(confusion(3, &[(0, 0), (1, 1)]).f1_macro(), 1.0);
    }

    #[test]
    fn softmax_by_hand_and_with_large_logits() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7, "{a} {b}");
        close(softmax(&[0.0, 3f32.ln()])[1], 0.75);
        assert_eq!(softmax(&[500.0, 500.0]), [0.5, 0.5]);
        assert_eq!(softmax(&[0.0, 2000.0]), [0.0, 1.0]);
    }

    #[test]
    fn argmax_takes_the_first_and_passes_over_nan() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(argmax(&[f32::NAN, -1.0, 0.0]), 2);
        assert_eq!(argmax(&[f32::NAN, f32::NAN]), 0);
    }

    #[test]
    fn cross_entropy_by_hand_and_with_large_logits() {
        close(mean_cross_entropy(&[0.0, 0.0, 0.0, 0.0], &[0, 1], 2), 2_f64.ln());
        close(mean_cross_entropy(&[1000.0, 0.0], &[1], 2), 1000.0);
        close(mean_cross_entropy(&[], &[], 2), 0.0);
    }
}
