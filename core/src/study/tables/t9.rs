//! T9: which attention matrices get the update, at equal budget.

use super::build::{above, arm, claim, tasks};
use crate::study::Study;

/// BERT-base on RTE, 30 % of the weights removed. One matrix at twice the rank, two at the rank, four at half of it.
pub fn table() -> Study {
    let subsets = [
        ("q", "{Wq}", "query", "2/1"),
        ("k", "{Wk}", "key", "2/1"),
        ("v", "{Wv}", "value", "2/1"),
        ("o", "{Wo}", "output", "2/1"),
        ("qk", "{Wq, Wk}", "query,key", "1/1"),
        ("qv", "{Wq, Wv}", "query,value", "1/1"),
        ("qkvo", "{Wq, Wk, Wv, Wo}", "query,key,value,output", "1/2"),
    ];
    let others = subsets.iter().map(|(id, ..)| *id).filter(|id| *id != "qv");
    Study {
        title: "Where the update sits".into(),
        paper_model: "BERT-base".into(),
        tasks: tasks(&["rte"]),
        claims: vec![claim(
            "{Wq, Wv} is the best of the subsets of Wq, Wk, Wv and Wo.",
            "Above every other row.",
            others.flat_map(|other| above("qv", other, &["rte"], 0.0)).collect(),
        )],
        arms: subsets
            .map(|(id, row, modules, rank)| {
                let settings = [("method", "dsee"), ("target_modules", modules), ("rank", rank)];
                arm(id, row, &[&settings[..], &[("prune", "unstructured:0.3")]].concat())
            })
            .into(),
        ..Study::default()
    }
}
