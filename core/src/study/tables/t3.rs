//! T3: unstructured pruning of encoders, against the baselines.

use super::build::{above, arm, claim, full, lora, tasks};
use crate::study::{Arm, Study};

const TASKS: [&str; 8] = ["sst2", "mnli", "cola", "stsb", "qqp", "qnli", "mrpc", "rte"];

/// BERT-base on eight tasks; 80, 70 and 50 % of the prunable weights are kept.
pub fn table() -> Study {
    Study {
        title: "Unstructured pruning".into(),
        paper_model: "BERT-base".into(),
        tasks: tasks(&TASKS),
        arms: vec![
            full(),
            arm("bitfit", "BitFit", &[("method", "bitfit"), ("learning_rate", "4e-4"), ("prune", "none")]),
            lora(),
            arm(
                "adapters",
                "Adapters",
                &[("method", "adapters"), ("learning_rate", "3e-4"), ("prune", "none")],
            ),
            arm(
                "p-tuning-v2",
                "P-Tuning v2",
                &[("method", "p-tuning-v2"), ("learning_rate", "5e-3"), ("prune", "none")],
            ),
            arm(
                "tickets",
                "BERT Tickets, 50 % kept",
                &[("method", "bert-tickets"), ("learning_rate", "2e-5")],
            ),
            pruned("80", "0.2"),
            pruned("70", "0.3"),
            pruned("50", "0.5"),
        ],
        claims: vec![
            claim(
                "With 80 % and 70 % of the weights kept, DSEE is comparable with the dense methods.",
                "At most 1 point below LoRA on every task.",
                [above("dsee-80", "lora", &TASKS, -1.0), above("dsee-70", "lora", &TASKS, -1.0)].concat(),
            ),
            claim(
                "It is above LoRA on QQP, RTE and SST-2.",
                "With 80 % kept.",
                above("dsee-80", "lora", &["qqp", "rte", "sst2"], 0.0),
            ),
            claim(
                "With 50 % kept there is a clear drop on CoLA and RTE, and a gap below 1.5 points on QQP.",
                "Against 80 % kept; a drop of more than 1.5 points is clear.",
                [
                    above("dsee-80", "dsee-50", &["cola", "rte"], 1.5),
                    above("dsee-50", "dsee-80", &["qqp"], -1.5),
                ]
                .concat(),
            ),
        ],
        ..Study::default()
    }
}

fn pruned(kept: &str, sparsity: &str) -> Arm {
    arm(
        &format!("dsee-{kept}"),
        &format!("DSEE, {kept} % kept"),
        &[("method", "dsee"), ("prune", &format!("unstructured:{sparsity}"))],
    )
}
