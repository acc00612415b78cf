//! T1: what a few sparse entries add to a low-rank update.

use super::build::{above, arm, claim, tasks, within};
use crate::study::{Arm, Study, claim::Claim};

const TASKS: [&str; 4] = ["sst2", "rte", "cola", "mrpc"];

/// BERT-base, rank 16 (600K) and 8 (300K), with and without 16 entries per matrix. Ω is found by the method the paper
/// describes and by the procedure of the released code, which differ (`dsee-method` X2).
pub fn table() -> Study {
    Study {
        title: "Low rank with and without sparse entries".into(),
        paper_model: "BERT-base".into(),
        tasks: tasks(&TASKS),
        arms: [("16", "rank R", "1/1"), ("8", "rank R/2", "1/2")].into_iter().flat_map(arms).collect(),
        claims: [("dsee", ""), ("ref", "The same with Ω from the released procedure: ")].map(claims).concat(),
        ..Study::default()
    }
}

/// What the paper says of both budgets, for one way to find Ω.
fn claims((id, whose): (&str, &str)) -> Vec<Claim> {
    let against = |budget: &str| (format!("{id}-{budget}"), format!("lora-{budget}"));
    let ((large, lora_large), (small, lora_small)) = (against("16"), against("8"));
    let improved = ["sst2", "rte", "mrpc"];
    let cola_is_not = above(&lora_large, &large, &["cola"], 0.0);
    vec![
        claim(
            &format!("{whose}At about 600K parameters, 384 sparse values improve every task except CoLA."),
            "Above the update without S on SST-2, RTE and MRPC, and below it on CoLA.",
            [above(&large, &lora_large, &improved, 0.0), cola_is_not].concat(),
        ),
        claim(
            &format!("{whose}They improve these by 0.23 to 1.09 points."),
            "",
            within(&large, &lora_large, &improved, (0.225, 1.095)),
        ),
        claim(
            &format!("{whose}At about 300K parameters, they improve all four tasks."),
            "",
            above(&small, &lora_small, &TASKS, 0.0),
        ),
        claim(
            &format!("{whose}They improve these by 0.34 to 1.08 points."),
            "",
            within(&small, &lora_small, &TASKS, (0.335, 1.085)),
        ),
    ]
}

fn arms((budget, name, rank): (&str, &str, &str)) -> Vec<Arm> {
    let dsee = |id: &str, row: &str, omega: &str| {
        arm(
            &format!("{id}-{budget}"),
            &format!("{row}, {name}"),
            &[("method", "dsee"), ("rank", rank), ("omega", omega), ("prune", "none")],
        )
    };
    vec![
        arm(
            &format!("lora-{budget}"),
            &format!("UV (LoRA), {name}"),
            &[("method", "lora"), ("rank", rank), ("prune", "none")],
        ),
        dsee("dsee", "UV + S, GreBsmo", "grebsmo"),
        dsee("ref", "UV + S, released GreBsmo", "grebsmo-ref"),
    ]
}
