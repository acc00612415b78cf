//! T5: unstructured pruning of a larger encoder.

use super::build::{above, arm, claim, full, lora, settings, tasks};
use crate::study::Study;

const TASKS: [&str; 4] = ["cola", "sst2", "qnli", "rte"];

/// RoBERTa-large, rank 8, 30 % of the prunable weights removed.
pub fn table() -> Study {
    let claim_against = |name: &str, id: &str| {
        claim(
            &format!("With 30 % of the weights removed, DSEE is at most 1 point below {name}."),
            "",
            above("dsee", id, &TASKS, -1.0),
        )
    };
    Study {
        title: "Unstructured pruning of a larger encoder".into(),
        paper_model: "RoBERTa-large".into(),
        defaults: settings(&[("rank", "8")]),
        tasks: tasks(&TASKS),
        arms: vec![
            full(),
            lora(),
            arm("adapters", "Adapters", &[("method", "adapters"), ("prune", "none")]),
            arm("dsee", "DSEE, 70 % kept", &[("method", "dsee"), ("prune", "unstructured:0.3")]),
        ],
        claims: vec![
            claim_against("full fine-tuning", "full"),
            claim_against("LoRA", "lora"),
            claim_against("adapters", "adapters"),
        ],
        ..Study::default()
    }
}
