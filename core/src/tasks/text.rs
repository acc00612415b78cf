//! Text from data, with a decoder: E2E, WebNLG and DART. Training and decoding as in the published LoRA recipe for
//! GPT-2 (Hu et al. 2022), which the paper follows.

use super::{HubConfiguration, HubSource, Recipe, TaskSpec};
use crate::config::Method;
use crate::data::TaskKind::Generation;
use crate::metrics::Metric;

/// Settings of the recipe that no other task has.
const OTHERS: [(&str, &str); 13] = [
    ("max_length", "512"),
    ("rank", "4"),
    ("alpha", "32"),
    ("per_device_train_batch_size", "8"),
    ("adam_epsilon", "1e-6"),
    ("warmup_steps", "500"),
    ("max_grad_norm", "0"),
    ("dropout", "0"),
    ("num_beams", "10"),
    ("beam_rule", "paper"),
    ("max_new_tokens", "64"),
    ("length_penalty", "0.8"),
    ("no_repeat_ngram_size", "4"),
];

/// What E2E and WebNLG are trained with beside that, and DART is not.
const SMOOTHED: [(&str, &str); 2] = [("weight_decay", "0.01"), ("label_smoothing_factor", "0.1")];

/// LoRA's recipe holds for adapters, too; prefix tuning was published with its own (Li & Liang 2021): longer prefixes and
/// larger batches for E2E, and no decay.
const OF_METHODS: [(Method, &[(&str, &str)]); 2] = [
    (Method::Adapters, &[("learning_rate", "2e-4")]),
    (Method::Prefix, &[("prefix_length", "5"), ("per_device_train_batch_size", "5"), ("weight_decay", "0")]),
];
/// The same for E2E.
const OF_METHODS_E2E: [(Method, &[(&str, &str)]); 2] = [
    OF_METHODS[0],
    (
        Method::Prefix,
        &[("prefix_length", "10"), ("per_device_train_batch_size", "10"), ("weight_decay", "0")],
    ),
];

const RECIPE: Recipe = Recipe {
    epochs: "5",
    retune_epochs: "2",
    learning_rate: "2e-4",
    full_epochs: "5",
    others: &[&OTHERS, &SMOOTHED],
    of_methods: &OF_METHODS,
};

/// The figures of E2E's own scorer (`dsee-method` 6.4).
const E2E_METRICS: [&str; 5] = ["bleu", "nist", "meteor-exact-stem", "rouge-l", "cider"];
/// Those of WebNLG's.
const TRIPLE_METRICS: [&str; 3] = ["bleu-moses", "meteor-exact-stem", "ter"];

const COMMON: TaskSpec = TaskSpec {
    name: "",
    title: "",
    kind: Generation,
    dataset: HubSource { name: "", configuration: HubConfiguration::Only },
    files: "",
    columns: &[],
    headerless: None,
    labels: &[],
    score_range: None,
    metric: Metric::Loss,
    also: &[],
    text_metrics: &TRIPLE_METRICS,
    recipe: RECIPE,
};

pub(super) static E2E: TaskSpec = TaskSpec {
    name: "e2e",
    title: "E2E",
    dataset: HubSource { name: "tuetschek/e2e_nlg", configuration: HubConfiguration::Only },
    files: "lines `context||completion`, or a table with mr and ref",
    text_metrics: &E2E_METRICS,
    recipe: Recipe { of_methods: &OF_METHODS_E2E, ..RECIPE },
    ..COMMON
};

pub(super) static WEBNLG: TaskSpec = TaskSpec {
    name: "webnlg",
    title: "WebNLG",
    dataset: HubSource {
        name: "webnlg-challenge/web_nlg",
        configuration: HubConfiguration::Named("webnlg_challenge_2017"),
    },
    files: "the challenge's .xml files of 2017, or JSON objects with category, triples and refs",
    ..COMMON
};

pub(super) static DART: TaskSpec = TaskSpec {
    name: "dart",
    title: "DART",
    dataset: HubSource { name: "Yale-LILY/dart", configuration: HubConfiguration::Only },
    files: "dart-v1.1.1-full-train.json and -dev.json of its authors, or JSON objects with triples and refs",
    recipe: Recipe { others: &[&OTHERS], ..RECIPE },
    ..COMMON
};
