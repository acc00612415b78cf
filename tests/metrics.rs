//! Proves that accuracy, F1, Matthews', Pearson's and Spearman's coefficients equal those of scikit-learn and SciPy,
//! undefined cases included. Needs no GPU. Golden file: `tests/golden/metrics.json`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use dsee_core::metrics::MetricSet;
use dsee_tests::golden;
use serde::Deserialize;

/// Both sides compute in f64 from numbers of a few digits; predictions pass through f32 on our side.
const ALLOWED: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: Kind,
    labels: Vec<f64>,
    predictions: Vec<f64>,
    expected: BTreeMap<String, Option<f64>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Classification,
    Regression,
}

fn cases(kind: Kind) -> Vec<Case> {
    let bytes = std::fs::read(golden("metrics.json")).unwrap();
    let golden: Golden = serde_json::from_slice(&bytes).unwrap();
    golden.cases.into_iter().filter(|case| case.kind == kind).collect()
}

/// The figure that scikit-learn or SciPy know by this name.
fn figure(found: &MetricSet, name: &str) -> Option<f64> {
    match name {
        "accuracy" => found.accuracy,
        "matthews" => found.matthews_correlation,
        "f1" => found.f1,
        "pearson" => found.pearson,
        "spearman" => found.spearmanr,
        name => panic!("the golden file has a figure {name} that this test does not know"),
    }
}

fn check(case: &Case, found: &MetricSet) {
    for (name, expected) in &case.expected {
        let found = figure(found, name);
        let equal = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < ALLOWED,
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(equal, "{}: {name} is {found:?}, expected {expected:?}", case.name);
    }
}

#[test]
fn classification() {
    let cases = cases(Kind::Classification);
    assert!(cases.len() >= 8);
    for case in &cases {
        // F1 of class 1 is asked for exactly where there are two classes, also where only one of them occurs.
        let n_classes = if case.expected.contains_key("f1") { 2 } else { 3 };
        let one_hot = |class: usize| (0..n_classes).map(move |c| if c == class { 1.0 } else { 0.0 });
        let logits: Vec<f32> = case.predictions.iter().flat_map(|&class| one_hot(class as usize)).collect();
        let classes: Vec<u32> = case.labels.iter().map(|&class| class as u32).collect();
        check(case, &MetricSet::from_logits(&logits, &classes, n_classes));
    }
}

#[test]
fn regression() {
    let cases = cases(Kind::Regression);
    assert!(cases.len() >= 7);
    for case in &cases {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        check(case, &MetricSet::from_predictions(&narrow(&case.predictions), &narrow(&case.labels)));
    }
}
