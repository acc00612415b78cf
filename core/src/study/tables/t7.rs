//! T7: what pruning goes by.

use super::build::{above, claim, tasks, variant};
use crate::study::Study;

const TASKS: [&str; 2] = ["rte", "sst2"];

/// BERT-base; the criteria for both kinds of pruning. The text does not say how much is removed: here what the
/// released scripts remove, 20 % of the weights and 3 of 12 heads.
pub fn table() -> Study {
    let criteria = [("delta", "|ΔW|"), ("sum", "|W + ΔW|"), ("random", "random")];
    let kinds = [("u", "unstructured", "unstructured:0.2"), ("s", "structured", "heads:1/4")];
    let arms = criteria.into_iter().flat_map(|(criterion, row)| {
        kinds.map(|(kind, name, prune)| {
            let settings = [("method", "dsee"), ("prune_criterion", criterion), ("prune", prune)];
            variant(&format!("{criterion}-{kind}"), row, name, &settings)
        })
    });
    Study {
        title: "Pruning criteria".into(),
        paper_model: "BERT-base".into(),
        tasks: tasks(&TASKS),
        arms: arms.collect(),
        claims: vec![
            claim(
                "Unstructured, |ΔW| is slightly below |W + ΔW|.",
                "Below, by less than 1.5 points, on both tasks.",
                [above("sum-u", "delta-u", &TASKS, 0.0), above("delta-u", "sum-u", &TASKS, -1.5)].concat(),
            ),
            claim(
                "Structured, |ΔW| is best on both tasks.",
                "",
                [above("delta-s", "sum-s", &TASKS, 0.0), above("delta-s", "random-s", &TASKS, 0.0)].concat(),
            ),
        ],
        ..Study::default()
    }
}
