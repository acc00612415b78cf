//! How good a model is: the figures of one evaluation, by the names transformers' scripts log them under.

mod classification;
pub mod nlg;
mod regression;

use serde::{Deserialize, Serialize};

pub use classification::{ConfusionMatrix, argmax, mean_cross_entropy, softmax};
pub use regression::{mean_squared_error, pearson, spearman};

use crate::data::{LabelSet, TaskKind};

/// One figure of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean cross-entropy or mean squared error.
    Loss,
    /// Share of right answers.
    Accuracy,
    /// Share of right answers on the mismatched validation set (MNLI).
    AccuracyMm,
    /// F1 of class 1; for tasks of two classes.
    F1,
    /// Mean of the classes' F1; for tasks of more classes.
    F1Macro,
    /// Matthews' correlation coefficient.
    MatthewsCorrelation,
    /// Pearson's correlation of predictions and scores.
    Pearson,
    /// Spearman's rank correlation.
    Spearmanr,
    /// exp of the mean loss of predicted words.
    Perplexity,
}

impl Metric {
    /// All figures, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Loss,
        Self::Accuracy,
        Self::AccuracyMm,
        Self::F1,
        Self::F1Macro,
        Self::MatthewsCorrelation,
        Self::Pearson,
        Self::Spearmanr,
        Self::Perplexity,
    ];

    /// The name in logs, without the prefix `eval_`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
            Self::AccuracyMm => "accuracy_mm",
            Self::F1 => "f1",
            Self::F1Macro => "f1_macro",
            Self::MatthewsCorrelation => "matthews_correlation",
            Self::Pearson => "pearson",
            Self::Spearmanr => "spearmanr",
            Self::Perplexity => "perplexity",
        }
    }

    /// The figure with this name, with or without the prefix `eval_`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix("eval_").unwrap_or(name);
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Whether more is better; true of all but the loss and what is made from it.
    #[must_use]
    pub fn greater_is_better(self) -> bool {
        !matches!(self, Self::Loss | Self::Perplexity)
    }

    /// The figures that an evaluation on such labels has.
    #[must_use]
    pub fn of(labels: &LabelSet, has_mismatched: bool) -> Vec<Self> {
        let also = |wanted: bool, metric: Self| wanted.then_some(metric);
        match labels {
            LabelSet::Classes(names) => {
                let is_binary = names.len() == 2;
                let f1 = if is_binary { Self::F1 } else { Self::F1Macro };
                let fixed = [Self::Loss, Self::Accuracy, f1, Self::MatthewsCorrelation];
                fixed.into_iter().chain(also(has_mismatched, Self::AccuracyMm)).collect()
            }
            LabelSet::Scores => vec![Self::Loss, Self::Pearson, Self::Spearmanr],
            LabelSet::Words => vec![Self::Loss, Self::Perplexity],
        }
    }

    /// The figure a task is judged by unless the user says otherwise.
    #[must_use]
    pub fn primary(task: TaskKind) -> Self {
        match task {
            TaskKind::Classification => Self::Accuracy,
            TaskKind::Regression => Self::Pearson,
            TaskKind::Generation | TaskKind::LanguageModeling => Self::Loss,
        }
    }
}

/// The figures of one evaluation. What the task does not have, or what is undefined, is None.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricSet {
    /// Mean loss over the examples.
    pub loss: f64,
    /// Share of right answers, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The same of a second, mismatched validation set (MNLI).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_mm: Option<f64>,
    /// F1 of class 1, for two classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Mean F1 of the classes, for more than two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1_macro: Option<f64>,
    /// Matthews' correlation coefficient, -1 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matthews_correlation: Option<f64>,
    /// Pearson's correlation; None where predictions or scores are all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pearson: Option<f64>,
    /// Spearman's rank correlation; None as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spearmanr: Option<f64>,
    /// exp of the mean loss of predicted words, 1 to the size of the vocabulary and beyond.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
}

impl MetricSet {
    /// The figures of a classification from its confusion matrix and mean loss.
    #[must_use]
    pub fn classification(confusion: &ConfusionMatrix, loss: f64) -> Self {
        let is_binary = confusion.n_classes() == 2;
        Self {
            loss,
            accuracy: Some(confusion.accuracy()),
            f1: is_binary.then(|| confusion.f1(1)),
            f1_macro: (!is_binary).then(|| confusion.f1_macro()),
            matthews_correlation: Some(confusion.matthews_correlation()),
            ..Self::default()
        }
    }

    /// The figures of a classification from logits (B, N) row by row and classes (B).
    #[must_use]
    pub fn from_logits(logits: &[f32], classes: &[u32], n_classes: usize) -> Self {
        let mut confusion = ConfusionMatrix::new(n_classes);
        for (row, &class) in logits.chunks_exact(n_classes).zip(classes) {
            confusion.add(class as usize, argmax(row));
        }
        Self::classification(&confusion, mean_cross_entropy(logits, classes, n_classes))
    }

    /// The figures of a regression from predictions (B) and scores (B).
    #[must_use]
    pub fn from_predictions(predictions: &[f32], targets: &[f32]) -> Self {
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let (predictions, targets) = (wide(predictions), wide(targets));
        Self {
            loss: mean_squared_error(&predictions, &targets),
            pearson: pearson(&predictions, &targets),
            spearmanr: spearman(&predictions, &targets),
            ..Self::default()
        }
    }

    /// The figures of predicted words from the loss of each, in nats.
    #[must_use]
    pub fn from_word_losses(losses: &[f32]) -> Self {
        let sum: f64 = losses.iter().map(|&loss| f64::from(loss)).sum();
        let loss = sum / losses.len().max(1) as f64;
        Self { loss, perplexity: Some(loss.exp()), ..Self::default() }
    }

    /// The same figures, with the accuracy of `mismatched` beside them.
    #[must_use]
    pub fn with_mismatched(self, mismatched: &Self) -> Self {
        Self { accuracy_mm: mismatched.accuracy, ..self }
    }

    /// One figure.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Loss => Some(self.loss),
            Metric::Accuracy => self.accuracy,
            Metric::AccuracyMm => self.accuracy_mm,
            Metric::F1 => self.f1,
            Metric::F1Macro => self.f1_macro,
            Metric::MatthewsCorrelation => self.matthews_correlation,
            Metric::Pearson => self.pearson,
            Metric::Spearmanr => self.spearmanr,
            Metric::Perplexity => self.perplexity,
        }
    }

    /// The figures there are, with their names, in the order in which they are shown.
    #[must_use]
    pub fn entries(&self) -> Vec<(&'static str, f64)> {
        Metric::ALL.into_iter().filter_map(|metric| Some((metric.name(), self.get(metric)?))).collect()
    }

    /// Whether this evaluation is better than `best` by one figure. An undefined figure is worse than any.
    #[must_use]
    pub fn is_better_than(&self, best: &Self, metric: Metric) -> bool {
        match (self.get(metric), best.get(metric)) {
            (Some(new), Some(old)) if metric.greater_is_better() => new > old,
            (Some(new), Some(old)) => new < old,
            (new, old) => new.is_some() && old.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn names_are_those_of_the_fields() {
        let set = MetricSet {
            loss: 0.5,
            accuracy: Some(0.1),
            accuracy_mm: Some(0.15),
            f1: Some(0.2),
            f1_macro: Some(0.3),
            matthews_correlation: Some(0.4),
            pearson: Some(0.6),
            spearmanr: Some(0.7),
            perplexity: Some(0.8),
        };
        let json = serde_json::to_value(&set).unwrap();
        assert_eq!(set.entries().len(), 9);
        for (name, value) in set.entries() {
            assert_eq!(json[name].as_f64(), Some(value), "{name}");
            assert_eq!(Metric::from_name(&format!("eval_{name}")).map(Metric::name), Some(name));
        }
        assert_eq!(serde_json::from_value::<MetricSet>(json).unwrap(), set);
        assert_eq!(Metric::from_name("bleu"), None);
    }

    #[test]
    fn two_classes_have_f1_and_more_have_its_mean() {
        // Predictions 1, 0, 1 for the classes 1, 1, 0.
        let set = MetricSet::from_logits(&[0.0, 2.0, 1.0, 0.0, -1.0, 0.0], &[1, 1, 0], 2);
        let names = |set: &MetricSet| set.entries().iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(&set), ["loss", "accuracy", "f1", "matthews_correlation"]);
        let classes = |n: usize| LabelSet::Classes(vec![String::new(); n]);
        let expected = |labels: &LabelSet, has_mismatched: bool| {
            let mut names: Vec<&str> =
                Metric::of(labels, has_mismatched).into_iter().map(Metric::name).collect();
            names.sort_unstable();
            names
        };
        let sorted = |set: &MetricSet| {
            let mut names = names(set);
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(&set), expected(&classes(2), false));
        assert_eq!((set.accuracy, set.f1), (Some(1.0 / 3.0), Some(0.5)));
        let of = |gap: f64| (1.0 + gap.exp()).ln();
        assert!((set.loss - (of(-2.0) + 2.0 * of(1.0)) / 3.0).abs() < 1e-9);
        let set = MetricSet::from_logits(&[1.0, 0.0, 0.0], &[0], 3);
        assert_eq!((set.f1, set.f1_macro), (None, Some(1.0)));
        let other = MetricSet::from_logits(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], &[0, 1], 3);
        let both = set.with_mismatched(&other);
        assert_eq!((both.accuracy, both.accuracy_mm), (Some(1.0), Some(0.5)));
        assert_eq!(sorted(&both), expected(&classes(3), true));
        assert_eq!(
            sorted(&MetricSet::from_predictions(&[1.0, 2.0], &[2.0, 4.0])),
            expected(&LabelSet::Scores, false)
        );
        assert_eq!(sorted(&MetricSet::from_word_losses(&[1.0])), expected(&LabelSet::Words, false));
    }

    #[test]
    fn better_is_higher_but_for_the_loss() {
        let set = |loss, pearson| MetricSet { loss, pearson, ..MetricSet::default() };
        let (a, b) = (set(1.0, Some(0.5)), set(2.0, Some(0.6)));
        assert!(b.is_better_than(&a, Metric::Pearson) && !b.is_better_than(&a, Metric::Loss));
        assert!(!a.is_better_than(&a, Metric::Pearson));
        assert!(a.is_better_than(&set(0.1, None), Metric::Pearson));
        assert!(!set(0.1, None).is_better_than(&a, Metric::Pearson));
        assert_eq!(Metric::primary(TaskKind::Regression), Metric::Pearson);
    }
}
