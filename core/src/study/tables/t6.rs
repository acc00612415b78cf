//! T6: structured pruning: whole attention heads.

use super::build::{above, arm, claim, costs, full, lora, tasks};
use crate::study::{Arm, Study, results::Cost};

const TASKS: [&str; 4] = ["sst2", "mnli", "qnli", "qqp"];

/// BERT-base, 3, 6 and 9 of the 12 heads of every layer removed: a quarter, a half and three quarters, so that models
/// with other numbers of heads have the table, too. EarlyBERT stands there as released (a third of the heads and 40 % of
/// the feed-forward neurons), and with heads alone, as many as DSEE removes: only so do the FLOPs match
/// (`dsee-method` 5.3).
pub fn table() -> Study {
    // 0.6M of 66M is below 1 %; a small model has few layers and a large share of heads.
    let less = costs(Cost::Trained, "heads-9", Some("earlybert-9"), (0.0, 0.05));
    let saved = costs(Cost::Flops, "heads-9", Some("full"), (0.70, 0.80));
    Study {
        title: "Structured pruning".into(),
        paper_model: "BERT-base".into(),
        tasks: tasks(&TASKS),
        arms: vec![
            full(),
            lora(),
            earlybert("earlybert", "EarlyBERT, heads and neurons", &[]),
            heads_alone("6", "1/2"),
            heads_alone("9", "3/4"),
            pruned("3", "1/4"),
            pruned("6", "1/2"),
            pruned("9", "3/4"),
        ],
        claims: vec![
            claim(
                "With 3 heads removed, DSEE is above full fine-tuning on SST-2, MNLI and QNLI.",
                "",
                above("heads-3", "full", &["sst2", "mnli", "qnli"], 0.0),
            ),
            claim(
                "With 3 heads removed, it is above LoRA on SST-2 and QQP.",
                "",
                above("heads-3", "lora", &["sst2", "qqp"], 0.0),
            ),
            claim(
                "With 6 heads removed it is lower, and still above EarlyBERT.",
                "Below 3 heads removed, and above EarlyBERT without the same number of heads, on every task.",
                [above("heads-3", "heads-6", &TASKS, 0.0), above("heads-6", "earlybert-6", &TASKS, 0.0)]
                    .concat(),
            ),
            claim(
                "With 9 heads removed it is on par with EarlyBERT, with 0.6M instead of 66M trained numbers.",
                "At most 1 point below EarlyBERT without the same number of heads on every task, with at most a twentieth of the \
                 trained numbers.",
                [above("heads-9", "earlybert-9", &TASKS, -1.0), vec![less]].concat(),
            ),
            claim(
                "About 25 % of the inference FLOPs are saved at a loss below 2 %.",
                "With 9 heads removed, 70 to 80 % of the FLOPs in linear layers are left, and at most 2 points are lost \
                 against full fine-tuning on every task.",
                [above("heads-9", "full", &TASKS, -2.0), vec![saved]].concat(),
            ),
        ],
        ..Study::default()
    }
}

fn pruned(heads: &str, share: &str) -> Arm {
    arm(
        &format!("heads-{heads}"),
        &format!("DSEE, {heads} of 12 heads removed"),
        &[("method", "dsee"), ("prune", &format!("heads:{share}"))],
    )
}

fn heads_alone(heads: &str, share: &str) -> Arm {
    let own = [("prune", format!("heads:{share}")), ("neuron_sparsity", "0".to_owned())];
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    earlybert(&format!("earlybert-{heads}"), &format!("EarlyBERT, {heads} of 12 heads removed"), &own)
}

fn earlybert(id: &str, row: &str, own: &[(&str, &str)]) -> Arm {
    let rates = [("method", "earlybert"), ("learning_rate", "2e-5"), ("retune_learning_rate", "4e-5")];
    arm(id, row, &[&rates[..], own].concat())
}
