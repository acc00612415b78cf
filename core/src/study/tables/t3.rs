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
                "At most 1 point below full fine-tuning and below LoRA, on every task.",
                ["dsee-80", "dsee-70"]
                    .into_iter()
                    .flat_map(|dsee| ["full", "lora"].map(|dense| above(dsee, dense, &TASKS, -1.0)).concat())
                    .collect(),
            ),
            claim(
                "It is above LoRA on QQP, RTE and SST-2.",
                "With 80 % and with 70 % kept.",
                ["dsee-80", "dsee-70"].map(|dsee| above(dsee, "lora", &["qqp", "rte", "sst2"], 0.0)).concat(),
            ),
            claim(
                "With 50 % kept there is a clear drop on CoLA and RTE.",
                "Against 80 % kept; a drop of more than 1.5 points is clear.",
                above("dsee-80", "dsee-50", &["cola", "rte"], 1.5),
            ),
            claim(
                "With 50 % kept the gap on QQP is below 1.5 points.",
                "To full fine-tuning and to LoRA.",
                ["full", "lora"].map(|dense| above("dsee-50", dense, &["qqp"], -1.5)).concat(),
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
