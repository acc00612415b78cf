//! T2 and T4: text from data with a decoder. Their figures are those of the texts it writes.

use super::build::{arm, better, claim, costs, tasks};
use crate::study::{
    Arm, Study,
    claim::{Claim, Test},
    results::Cost,
};

const TASKS: [&str; 3] = ["e2e", "webnlg", "dart"];

/// The figures that the paper reports of each task. METEOR is the form without tables: it is compared between rows,
/// never with the paper.
const METRICS: [(&str, [&str; 3]); 3] = [
    ("e2e", ["bleu", "nist", "meteor-exact-stem"]),
    ("webnlg", ["bleu-moses", "meteor-exact-stem", "ter"]),
    ("dart", ["bleu-moses", "meteor-exact-stem", "ter"]),
];

/// The form of BLEU that a task is reported in.
fn bleu_of(task: &str) -> &'static str {
    METRICS.iter().find(|(name, _)| *name == task).map_or("bleu", |(_, metrics)| metrics[0])
}

/// T2: GPT-2 medium, rank 4 (0.39M) and 2 (0.20M), with and without sparse entries.
pub fn t2() -> Study {
    let pair = |budget: &str, name: &str, rank: &str| {
        [("lora", "UV (LoRA)"), ("dsee", "UV + S")].map(|(method, row)| {
            let settings = [("method", method), ("rank", rank), ("prune", "none")];
            arm(&format!("{method}-{budget}"), &format!("{row}, {name}"), &settings)
        })
    };
    Study {
        title: "Text from data: low rank with and without sparse entries".into(),
        paper_model: "GPT-2 medium".into(),
        tasks: tasks(&TASKS),
        arms: [pair("4", "rank R", "1/1"), pair("2", "rank R/2", "1/2")].concat(),
        claims: vec![
            claim(
                "At 0.39M parameters, S improves every figure on WebNLG and DART.",
                "",
                all_metrics("dsee-4", "lora-4", &TASKS[1..]),
            ),
            claim(
                "At 0.39M parameters, S improves NIST slightly on E2E.",
                "",
                vec![better("dsee-4", "lora-4", "e2e", Some("nist"), 0.0)],
            ),
            claim(
                "At 0.20M parameters, S improves every figure on all three tasks.",
                "",
                all_metrics("dsee-2", "lora-2", &TASKS),
            ),
        ],
        ..Study::default()
    }
}

/// T4: GPT-2 medium pruned, against the baselines.
pub fn t4() -> Study {
    let bleu = |a: &str, b: &str, task: &str, by| better(a, b, task, Some(bleu_of(task)), by);
    Study {
        title: "Text from data: unstructured pruning".into(),
        paper_model: "GPT-2 medium".into(),
        tasks: tasks(&TASKS),
        arms: vec![
            plain("full", "Fine-tune", "full"),
            plain("top2", "FT-Top2", "ft-top2"),
            plain("adapters", "Adapters", "adapters"),
            plain("prefix", "Prefix", "prefix"),
            plain("lora", "LoRA", "lora"),
            arm("dsee-80", "DSEE, 80 % kept", &[("method", "dsee"), ("prune", "unstructured:0.2")]),
            arm("dsee-50", "DSEE, 50 % kept", &[("method", "dsee"), ("prune", "unstructured:0.5")]),
        ],
        claims: vec![
            claim(
                "With 80 % of the weights kept, DSEE beats full fine-tuning.",
                "By BLEU, on all three tasks.",
                TASKS.map(|task| bleu("dsee-80", "full", task, 0.0)).into(),
            ),
            claim(
                "With 50 % kept it is comparable with full fine-tuning on E2E and DART.",
                "At most 1 BLEU below.",
                ["e2e", "dart"].map(|task| bleu("dsee-50", "full", task, -1.0)).into(),
            ),
            reached(),
            claim(
                "It trains 0.1 % of the model's numbers.",
                "At most 0.15 %; of a small model the same rank is a larger share.",
                vec![costs(Cost::Trained, "dsee-80", None, (0.0, 0.0015))],
            ),
        ],
        ..Study::default()
    }
}

fn plain(id: &str, row: &str, method: &str) -> Arm {
    arm(id, row, &[("method", method), ("prune", "none")])
}

fn all_metrics(a: &str, b: &str, tasks: &[&str]) -> Vec<Test> {
    let of_tasks = METRICS.iter().filter(|(task, _)| tasks.contains(task));
    of_tasks.flat_map(|(task, metrics)| metrics.map(|metric| better(a, b, task, Some(metric), 0.0))).collect()
}

fn reached() -> Claim {
    let figures = [("e2e", 69.5), ("webnlg", 54.9), ("dart", 47.5)];
    let tests = figures.map(|(task, at_least)| Test::Reaches {
        arm: "dsee-80".into(),
        task: task.into(),
        metric: bleu_of(task).into(),
        at_least,
    });
    claim(
        "With 20 % of the weights removed: BLEU 69.5 on E2E, 54.9 on WebNLG, 47.5 on DART.",
        "Of GPT-2 medium only; smaller models are not expected to get there.",
        tests.into(),
    )
}
