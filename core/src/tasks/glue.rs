//! The tasks of GLUE (Wang et al. 2019) as the paper uses them. Columns are those of GLUE's own files and of the
//! hub's copies; labels stand in the order of their numbers.

use super::{HubConfiguration, HubSource, Recipe, TaskColumns, TaskSpec};
use crate::config::Method;
use crate::data::TaskKind::{Classification, Regression};
use crate::metrics::Metric::{Accuracy, AccuracyMm, F1, MatthewsCorrelation, Pearson, Spearmanr};

/// Epochs and rate that the released scripts and our own trials recommend for small sets.
const SMALL: Recipe = Recipe {
    epochs: "10",
    retune_epochs: "10",
    learning_rate: "5e-4",
    full_epochs: "3",
    others: &[&[("max_length", "128")]],
    // The fewest of the 60 to 100 epochs of the scripts released with it: prefixes are learned slowly.
    of_methods: &[(Method::PTuning, &[("num_train_epochs", "60"), ("retune_epochs", "60")])],
};
/// The same of sets of some 100,000 examples.
const MEDIUM: Recipe = Recipe { epochs: "5", retune_epochs: "5", learning_rate: "2e-4", ..SMALL };
/// The same of sets of some 400,000 examples.
const LARGE: Recipe = Recipe { epochs: "3", retune_epochs: "3", ..MEDIUM };

const fn single(text: &'static str, label: &'static str) -> TaskColumns {
    TaskColumns { text, text_pair: None, label }
}

const fn pair(text: &'static str, text_pair: &'static str, label: &'static str) -> TaskColumns {
    TaskColumns { text, text_pair: Some(text_pair), label }
}

/// What most of the rows below share.
const COMMON: TaskSpec = TaskSpec {
    name: "",
    title: "",
    kind: Classification,
    dataset: HubSource { name: "nyu-mll/glue", configuration: HubConfiguration::OfTask },
    files: "GLUE's own .tsv files, or tables with its columns",
    columns: &[],
    headerless: None,
    labels: &[],
    score_range: None,
    metric: Accuracy,
    also: &[],
    text_metrics: &[],
    recipe: SMALL,
};

pub(super) static SST2: TaskSpec = TaskSpec {
    name: "sst2",
    title: "SST-2",
    columns: &[single("sentence", "label")],
    labels: &["negative", "positive"],
    recipe: MEDIUM,
    ..COMMON
};

pub(super) static COLA: TaskSpec = TaskSpec {
    name: "cola",
    title: "CoLA",
    columns: &[single("sentence", "label")],
    // Source, label, the author's mark, sentence.
    headerless: Some((4, single("4", "2"))),
    labels: &["unacceptable", "acceptable"],
    metric: MatthewsCorrelation,
    also: &[Accuracy],
    ..COMMON
};

pub(super) static RTE: TaskSpec = TaskSpec {
    name: "rte",
    title: "RTE",
    columns: &[pair("sentence1", "sentence2", "label")],
    labels: &["entailment", "not_entailment"],
    recipe: Recipe { epochs: "5", ..SMALL },
    ..COMMON
};

pub(super) static MRPC: TaskSpec = TaskSpec {
    name: "mrpc",
    title: "MRPC",
    columns: &[pair("#1 String", "#2 String", "Quality"), pair("sentence1", "sentence2", "label")],
    labels: &["not_equivalent", "equivalent"],
    also: &[F1],
    recipe: Recipe { full_epochs: "5", ..SMALL },
    ..COMMON
};

pub(super) static STSB: TaskSpec = TaskSpec {
    name: "stsb",
    title: "STS-B",
    kind: Regression,
    columns: &[pair("sentence1", "sentence2", "score"), pair("sentence1", "sentence2", "label")],
    score_range: Some((0.0, 5.0)),
    metric: Pearson,
    also: &[Spearmanr],
    ..COMMON
};

pub(super) static QQP: TaskSpec = TaskSpec {
    name: "qqp",
    title: "QQP",
    columns: &[pair("question1", "question2", "is_duplicate"), pair("question1", "question2", "label")],
    labels: &["not_duplicate", "duplicate"],
    also: &[F1],
    recipe: LARGE,
    ..COMMON
};

pub(super) static QNLI: TaskSpec = TaskSpec {
    name: "qnli",
    title: "QNLI",
    columns: &[pair("question", "sentence", "label")],
    labels: &["entailment", "not_entailment"],
    recipe: MEDIUM,
    ..COMMON
};

pub(super) static MNLI: TaskSpec = TaskSpec {
    name: "mnli",
    title: "MNLI",
    columns: &[pair("sentence1", "sentence2", "gold_label"), pair("premise", "hypothesis", "label")],
    labels: &["entailment", "neutral", "contradiction"],
    also: &[AccuracyMm],
    recipe: LARGE,
    ..COMMON
};
