//! Short words for writing tables down.

use crate::study::{
    Arm, Settings,
    claim::{Claim, Test},
    results::Cost,
};

/// Settings as written.
pub fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An arm that is a row.
pub fn arm(id: &str, row: &str, pairs: &[(&str, &str)]) -> Arm {
    variant(id, row, "", pairs)
}

/// An arm that is one of several cells of a row.
pub fn variant(id: &str, row: &str, variant: &str, pairs: &[(&str, &str)]) -> Arm {
    Arm { id: id.to_owned(), row: row.to_owned(), variant: variant.to_owned(), settings: settings(pairs) }
}

/// Full fine-tuning.
pub fn full() -> Arm {
    arm("full", "Fine-tune", &[("method", "full"), ("learning_rate", "2e-5"), ("prune", "none")])
}

/// LoRA at the rank that was asked for.
pub fn lora() -> Arm {
    arm("lora", "LoRA", &[("method", "lora"), ("prune", "none")])
}

/// Task names.
pub fn tasks(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A sentence, how it is judged, and its comparisons.
pub fn claim(text: &str, judged: &str, tests: Vec<Test>) -> Claim {
    Claim { text: text.to_owned(), judged: judged.to_owned(), tests }
}

/// Arm `a` above arm `b` by more than so many points, on each of these tasks.
pub fn above(a: &str, b: &str, tasks: &[&str], by_more_than: f64) -> Vec<Test> {
    let test = |task: &&str| better(a, b, task, None, by_more_than);
    tasks.iter().map(test).collect()
}

/// The same by a figure that is not the task's own.
pub fn better(a: &str, b: &str, task: &str, metric: Option<&str>, by_more_than: f64) -> Test {
    Test::Better {
        a: a.to_owned(),
        b: b.to_owned(),
        task: task.to_owned(),
        metric: metric.map(str::to_owned),
        by_more_than,
        by_at_most: None,
    }
}

/// Arm `a` above arm `b` by points that lie in the range, on each of these tasks.
pub fn within(a: &str, b: &str, tasks: &[&str], range: (f64, f64)) -> Vec<Test> {
    let test = |mut test: Test| {
        if let Test::Better { by_at_most, .. } = &mut test {
            *by_at_most = Some(range.1);
        }
        test
    };
    above(a, b, tasks, range.0).into_iter().map(test).collect()
}

/// What arm `a` costs as a share of what arm `b` does, or of the dense model's numbers.
pub fn costs(cost: Cost, a: &str, b: Option<&str>, (at_least, at_most): (f64, f64)) -> Test {
    Test::Ratio { cost, a: a.to_owned(), b: b.map(str::to_owned), at_least, at_most }
}
