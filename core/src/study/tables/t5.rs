//! T5: unstructured pruning of a larger encoder.

use super::build::{above, arm, claim, lora, settings, tasks};
use crate::study::Study;

const TASKS: [&str; 4] = ["cola", "sst2", "qnli", "rte"];

/// The recipes published with LoRA for RoBERTa-large (`dsee-method` 4), its alpha of 16 included, for all methods that
/// leave weights frozen; retuning takes half the epochs. Full fine-tuning has its own (`dsee-method` 5).
const RECIPES: [(&str, [(&str, &str); 4]); 4] = [
    ("cola", recipe("3e-4", "20", "10", "32")),
    ("sst2", recipe("4e-4", "10", "5", "64")),
    ("qnli", recipe("2e-4", "10", "5", "32")),
    ("rte", recipe("4e-4", "20", "10", "64")),
];

const fn recipe(
    rate: &'static str,
    epochs: &'static str,
    retune: &'static str,
    batch: &'static str,
) -> [(&'static str, &'static str); 4] {
    [
        ("learning_rate", rate),
        ("num_train_epochs", epochs),
        ("retune_epochs", retune),
        ("per_device_train_batch_size", batch),
    ]
}

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
        defaults: settings(&[
            ("rank", "8"),
            ("alpha", "16"),
            ("weight_decay", "0.1"),
            ("warmup_steps", "0.06"),
        ]),
        task_defaults: RECIPES.map(|(task, own)| (task.to_owned(), settings(&own))).into(),
        tasks: tasks(&TASKS),
        arms: vec![
            arm(
                "full",
                "Fine-tune",
                &[
                    ("method", "full"),
                    ("prune", "none"),
                    ("learning_rate", "2e-5"),
                    ("num_train_epochs", "3"),
                    ("per_device_train_batch_size", "32"),
                    ("warmup_steps", "0"),
                    ("weight_decay", "0"),
                ],
            ),
            lora(),
            arm(
                "adapters",
                "Adapters",
                &[("method", "adapters"), ("prune", "none"), ("learning_rate", "3e-4")],
            ),
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
