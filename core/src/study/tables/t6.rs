//! T6: structured pruning: whole attention heads.

use super::build::{above, arm, claim, full, lora, tasks};
use crate::study::{Arm, Study, claim::Test};

const TASKS: [&str; 4] = ["sst2", "mnli", "qnli", "qqp"];

/// BERT-base, 3, 6 and 9 of the 12 heads of every layer removed: a quarter, a half and three quarters, so that models
/// with other numbers of heads have the table, too.
pub fn table() -> Study {
    let less = Test::TrainsLess { a: "heads-9".into(), b: "earlybert".into() };
    Study {
        title: "Structured pruning".into(),
        paper_model: "BERT-base".into(),
        tasks: tasks(&TASKS),
        arms: vec![
            full(),
            lora(),
            arm(
                "earlybert",
                "EarlyBERT",
                &[("method", "earlybert"), ("learning_rate", "2e-5"), ("retune_learning_rate", "4e-5")],
            ),
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
                "Below 3 heads removed and above EarlyBERT, on every task.",
                [above("heads-3", "heads-6", &TASKS, 0.0), above("heads-6", "earlybert", &TASKS, 0.0)]
                    .concat(),
            ),
            claim(
                "With 9 heads removed it is on par with EarlyBERT, with 0.6M instead of 66M trained numbers.",
                "At most 1 point below on every task.",
                [above("heads-9", "earlybert", &TASKS, -1.0), vec![less]].concat(),
            ),
            claim(
                "About 25 % of the inference FLOPs are saved at a loss below 2 %.",
                "9 heads are the 25 %; at most 2 points below full fine-tuning on every task.",
                above("heads-9", "full", &TASKS, -2.0),
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
