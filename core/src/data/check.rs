//! What deserves a look before training: classes that are missing or written in two ways, validation examples
//! that are also trained on, rows that are hardly there.

use std::collections::BTreeSet;
use std::fmt;

use super::dataset::Dataset;
use super::labels::{Label, LabelSet, similar};

/// Something about the data that hinders nothing but is often a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataWarning {
    /// Blank lines among the rows; they are left out.
    BlankLines {
        /// The file.
        file: String,
        /// How many.
        n_lines: usize,
    },
    /// Pairs with one empty text.
    HalfEmptyPairs {
        /// The file.
        file: String,
        /// How many.
        n_rows: usize,
    },
    /// Two class names that differ only in case or white space.
    SimilarLabels {
        /// One of them.
        a: String,
        /// The other.
        b: String,
    },
    /// Nearly as many classes as examples: numbers or texts taken for classes.
    ManyClasses {
        /// Number of classes.
        n_classes: usize,
        /// Number of examples.
        n_examples: usize,
    },
    /// A class without an example in one split.
    LabelMissing {
        /// Name of the class.
        label: String,
        /// Name of the split.
        split: &'static str,
    },
    /// Validation examples with the same texts as a training example.
    SharedExamples {
        /// How many of them.
        n_shared: usize,
        /// Validation examples in all.
        n_validation: usize,
    },
    /// Meanings without a text that their annotators found good; they are left out.
    NoGoodText {
        /// The file.
        file: String,
        /// How many.
        n_meanings: usize,
    },
    /// A validation set of a single example, whose metric says nothing.
    OneValidationExample,
}

impl fmt::Display for DataWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlankLines { file, n_lines } => write!(f, "{n_lines} blank lines are left out of {file}"),
            Self::HalfEmptyPairs { file, n_rows } => {
                write!(f, "{n_rows} pairs have one empty text in {file}")
            }
            Self::SimilarLabels { a, b } => {
                write!(
                    f,
                    "the labels {a:?} and {b:?} differ only in case or white space, but are two classes"
                )
            }
            Self::ManyClasses { n_classes, n_examples } => write!(
                f,
                "{n_classes} classes for {n_examples} examples; if the labels are scores, choose --task-type regression"
            ),
            Self::LabelMissing { label, split } => {
                write!(f, "no example has the label {label:?} in the {split} set")
            }
            Self::SharedExamples { n_shared, n_validation } => write!(
                f,
                "{n_shared} of {n_validation} validation examples are also training examples, so the metric \
                 is too good"
            ),
            Self::NoGoodText { file, n_meanings } => {
                write!(f, "{n_meanings} meanings without a good text are left out of {file}")
            }
            Self::OneValidationExample => {
                f.write_str("the validation set has one example, so its metric says nothing")
            }
        }
    }
}

/// How many examples each class has, in the order of the classes. Empty for regression.
#[must_use]
pub fn class_counts(dataset: &Dataset) -> Vec<usize> {
    let mut counts = vec![0; dataset.labels.names().len()];
    for example in &dataset.examples {
        if let Label::Class(class) = example.label {
            counts[class as usize] += 1;
        }
    }
    counts
}

/// Looks at the names of the classes of the training file.
pub(crate) fn check_labels(labels: &LabelSet, n_examples: usize) -> Vec<DataWarning> {
    let names = labels.names();
    let mut warnings = Vec::new();
    // Comparing each with each is too much for a column of ids, which the other warning is about.
    let n_compared = names.len().min(1000);
    for (i, a) in names[..n_compared].iter().enumerate() {
        for b in names[i + 1..n_compared].iter().filter(|b| similar(a, b)) {
            warnings.push(DataWarning::SimilarLabels { a: a.clone(), b: b.clone() });
        }
    }
    if names.len() > 2 && 2 * names.len() > n_examples {
        warnings.push(DataWarning::ManyClasses { n_classes: names.len(), n_examples });
    }
    warnings
}

/// Looks at the two sets of a run as they will be used.
pub(crate) fn check_splits(train: &Dataset, validation: &Dataset) -> Vec<DataWarning> {
    let mut warnings = Vec::new();
    for (split, dataset) in [("training", train), ("validation", validation)] {
        for (name, count) in dataset.labels.names().iter().zip(class_counts(dataset)) {
            if count == 0 {
                warnings.push(DataWarning::LabelMissing { label: name.clone(), split });
            }
        }
    }
    let texts: BTreeSet<(&str, Option<&str>)> =
        train.examples.iter().map(|e| (e.text.as_str(), e.text_pair.as_deref())).collect();
    let n_validation = validation.examples.len();
    let is_shared = |text: &str, pair: Option<&str>| texts.contains(&(text, pair));
    let n_shared = validation.examples.iter().filter(|e| is_shared(&e.text, e.text_pair.as_deref())).count();
    if n_shared > 0 {
        warnings.push(DataWarning::SharedExamples { n_shared, n_validation });
    }
    if n_validation == 1 {
        warnings.push(DataWarning::OneValidationExample);
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Example;
    use super::*;

    fn dataset(examples: &[(&str, u32)]) -> Dataset {
        let names = ["neg", "pos", "Pos "].map(str::to_owned).to_vec();
        let example = |&(text, class): &(&str, u32)| Example {
            text: text.to_owned(),
            text_pair: None,
            label: Label::Class(class),
        };
        Dataset { examples: examples.iter().map(example).collect(), labels: LabelSet::Classes(names) }
    }

    #[test]
    fn classes_are_counted_and_compared() {
        let data = dataset(&[("a", 0), ("b", 1), ("c", 1)]);
        assert_eq!(class_counts(&data), [1, 2, 0]);
        let warnings = check_labels(&data.labels, 5);
        assert_eq!(
            warnings,
            [
                DataWarning::SimilarLabels { a: "pos".into(), b: "Pos ".into() },
                DataWarning::ManyClasses { n_classes: 3, n_examples: 5 }
            ]
        );
        assert!(warnings[0].to_string().contains("\"pos\" and \"Pos \""));
    }

    #[test]
    fn splits_are_compared() {
        let warnings = check_splits(&dataset(&[("a", 0), ("b", 1), ("c", 2)]), &dataset(&[("b", 1)]));
        let missing = |label: &str| DataWarning::LabelMissing { label: label.into(), split: "validation" };
        let shared = DataWarning::SharedExamples { n_shared: 1, n_validation: 1 };
        assert_eq!(warnings, [missing("neg"), missing("Pos "), shared, DataWarning::OneValidationExample]);
        let all = [("d", 0), ("e", 1), ("f", 2)];
        assert_eq!(check_splits(&dataset(&[("a", 0), ("b", 1), ("c", 2)]), &dataset(&all)), []);
    }
}
