//! From a study to its runs: every setting resolved and checked before the first one starts.

use std::collections::BTreeMap;

use super::{Arm, OWN_DATA, Settings, Study};
use crate::config::{Choice as _, FieldError, Method, ModelFacts, RunConfig, RunConfigDraft};
use crate::tuning::{n_phases, search_steps};

/// What `--quick` sets where the user says nothing: enough to see that everything works, not to judge by.
pub const QUICK: [(&str, &str); 5] = [
    ("max_steps", "60"),
    ("max_eval_samples", "200"),
    ("logging_steps", "5"),
    ("eval_strategy", "steps"),
    ("eval_steps", "30"),
];

/// What it sets beside that where texts are written: few of them, and a warm-up that such a run outlives.
pub const QUICK_TEXTS: [(&str, &str); 3] =
    [("max_eval_samples", "20"), ("num_beams", "4"), ("warmup_steps", "5")];

/// The data files of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFiles {
    /// Settings that name the files.
    pub settings: Settings,
    /// Training examples.
    pub n_train: usize,
}

/// What a study is planned on.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// What the user set.
    pub draft: &'a RunConfigDraft,
    /// Settings the study decides itself, with what to use instead.
    pub reserved: &'a [(&'a str, &'a str)],
    /// Sizes of the model.
    pub facts: &'a ModelFacts,
    /// Task → its files.
    pub files: &'a BTreeMap<String, TaskFiles>,
    /// Seeds, each for all arms and tasks.
    pub seeds: &'a [u64],
    /// Whether to shorten what the user did not set.
    pub quick: bool,
    /// Optimizer steps that a run makes in all, shared evenly by its phases; otherwise every phase has its own.
    pub total_steps: Option<usize>,
}

/// One run of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRun {
    /// Its name, also of its folder.
    pub id: String,
    /// Arm.
    pub arm: String,
    /// Task.
    pub task: String,
    /// Its checked settings; the folder is not set yet.
    pub config: RunConfig,
    /// Training examples it passes through, a measure of its cost.
    pub work: u64,
}

/// All runs of a study.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order in which they are carried out: every seed completes a table.
    pub runs: Vec<PlannedRun>,
    /// Arms that cannot be run, with the reason.
    pub left_out: Vec<(String, String)>,
}

impl Plan {
    /// Plans the runs.
    ///
    /// # Errors
    /// Everything that is wrong with the settings of any run, each thing once.
    pub fn new(study: &Study, basis: &Basis<'_>) -> Result<Self, Vec<FieldError>> {
        let mut errors = refused(study, basis.draft, basis.reserved);
        let mut plan = Self::default();
        let is_known = |arm: &&Arm| unknown_method(arm).is_none();
        let arms: Vec<&Arm> = study.arms.iter().filter(is_known).collect();
        for arm in &study.arms {
            if let Some(method) = unknown_method(arm) {
                let reason = format!("this version has no method {method}");
                plan.left_out.push((arm.id.clone(), reason));
            }
        }
        for &seed in basis.seeds {
            for task in &study.tasks {
                for arm in &arms {
                    match planned(study, basis, arm, task, seed) {
                        Ok(run) => plan.runs.push(run),
                        Err(wrong) => errors.extend(wrong),
                    }
                }
            }
        }
        // The same flag is wrong in every run.
        let mut each = Vec::new();
        for error in errors {
            if !each.contains(&error) {
                each.push(error);
            }
        }
        if each.is_empty() { Ok(plan) } else { Err(each) }
    }
}

/// Settings of the user that the study decides: by itself, or because they are what it compares.
#[must_use]
pub fn refused(study: &Study, draft: &RunConfigDraft, reserved: &[(&str, &str)]) -> Vec<FieldError> {
    let reserved = reserved.iter().map(|&(name, advice)| (name.to_owned(), advice.to_owned()));
    let is_everywhere =
        |name: &String| study.arms.iter().all(|arm| arm.settings.iter().any(|(other, _)| other == name));
    // A share depends on the user's value, and so leaves it to him.
    let first = study.arms.first().map(|arm| arm.settings.as_slice()).unwrap_or_default();
    let varied =
        first.iter().filter(|(name, _)| name != "rank").map(|(name, _)| name).filter(|n| is_everywhere(n));
    let varied = varied.map(|name| (name.clone(), "leave it out: it is what is compared".to_owned()));
    let given = |(name, advice): (String, String)| {
        let value = draft.text(&name)?;
        Some(FieldError::new(&name, value, format!("{} sets it for every run", study.name), advice))
    };
    let mut found = Vec::new();
    for error in reserved.chain(varied).filter_map(given) {
        if !found.iter().any(|other: &FieldError| other.field == error.field) {
            found.push(error);
        }
    }
    found
}

fn unknown_method(arm: &Arm) -> Option<&str> {
    let (_, method) = arm.settings.iter().find(|(name, _)| name == "method")?;
    Method::from_name(method).is_none().then_some(method)
}

fn planned(
    study: &Study,
    basis: &Basis<'_>,
    arm: &Arm,
    task: &str,
    seed: u64,
) -> Result<PlannedRun, Vec<FieldError>> {
    let none = TaskFiles::default();
    let files = basis.files.get(task).unwrap_or(&none);
    let id = format!("{task}-{}-seed{seed}", arm.id);
    let quick = if basis.quick { quick_settings(study, task) } else { Settings::new() };
    let of_task = study.task_defaults.iter().filter(|(name, _)| name == task);
    let mut draft = with(RunConfigDraft::default(), &study.defaults);
    draft = of_task.fold(draft, |draft, (_, settings)| with(draft, settings));
    draft = with(draft, &quick).overridden_by(basis.draft);
    draft = with(draft, &files.settings).with("seed", &seed.to_string());
    if task != OWN_DATA {
        draft.set("task", task);
    }
    draft.set("run_name", &format!("{} {id}", study.name));
    let base = draft.clone().with("method", Method::Dsee.name()).check()?;
    for (name, value) in &arm.settings {
        draft.set(name, &resolved(name, value, &base, basis.facts));
    }
    let mut config = draft.check_for(basis.facts).map_err(|errors| named_by_row(errors, arm))?;
    let n_train = config.max_train_samples.map_or(files.n_train, |most| most.min(files.n_train));
    let is_own = arm.settings.iter().any(|(name, _)| name == "max_steps");
    if let Some(total) = basis.total_steps.filter(|_| !is_own) {
        let steps = steps_of_phase(&config, total, n_train, arm).map_err(|error| vec![error])?;
        draft.set("max_steps", &steps.to_string());
        config = draft.check_for(basis.facts)?;
    }
    let work = work(&config, n_train);
    Ok(PlannedRun { id, arm: arm.id.clone(), task: task.to_owned(), config, work })
}

/// What is wrong with a row's own settings is told by the row.
fn named_by_row(errors: Vec<FieldError>, arm: &Arm) -> Vec<FieldError> {
    let is_own = |error: &FieldError| arm.settings.iter().any(|(name, _)| *name == error.field);
    let named = |error: FieldError| match is_own(&error) {
        true => FieldError { field: format!("{}+{}", arm.id, error.field), ..error },
        false => error,
    };
    errors.into_iter().map(named).collect()
}

/// What `--quick` sets of a task where the user says nothing.
#[must_use]
pub fn quick_settings(study: &Study, task: &str) -> Settings {
    let of_texts = if study.text_tasks().contains(&task) { &QUICK_TEXTS[..] } else { &[] };
    QUICK.iter().chain(of_texts).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn with(draft: RunConfigDraft, settings: &[(String, String)]) -> RunConfigDraft {
    settings.iter().fold(draft, |draft, (name, value)| draft.with(name, value))
}

/// The value of an arm's setting on this model: a share becomes a number, at least 1, and leaves one head.
fn resolved(name: &str, value: &str, base: &RunConfig, facts: &ModelFacts) -> String {
    let share = |text: &str, whole: usize| -> Option<usize> {
        let (part, of) = text.split_once('/')?;
        let (part, of) = (part.parse::<usize>().ok()?, of.parse::<usize>().ok()?);
        Some((whole.saturating_mul(part) / of.max(1)).max(1))
    };
    let heads = facts.num_attention_heads;
    let number = match (name, value.strip_prefix("heads:")) {
        ("rank", _) => share(value, base.rank).map(|rank| rank.to_string()),
        ("prune", Some(text)) => {
            share(text, heads).map(|n| format!("heads:{}", n.min(heads.saturating_sub(1)).max(1)))
        }
        _ => None,
    };
    number.unwrap_or_else(|| value.to_owned())
}

/// Steps of each phase so that all phases together make `total`. What a search cut short leaves goes to the other phase.
///
/// # Errors
/// If there is not a step for every phase.
fn steps_of_phase(config: &RunConfig, total: usize, n_train: usize, arm: &Arm) -> Result<usize, FieldError> {
    let (tuning, retuning) = n_phases(config);
    let n_phases = tuning + retuning;
    if total < n_phases {
        let reason = format!("row {} has {n_phases} phases of at least a step", arm.id);
        let advice = format!("use {n_phases} or more");
        return Err(FieldError::new("--total-steps", total, reason, advice));
    }
    let even = total / n_phases;
    Ok(search_steps(config, n_train).map_or(even, |search| even.max(total.saturating_sub(search))))
}

/// Examples that a run passes through.
fn work(config: &RunConfig, n_train: usize) -> u64 {
    let batch = config.per_device_train_batch_size.saturating_mul(config.gradient_accumulation_steps);
    let of_steps = |steps: usize| steps.saturating_mul(batch) as u64;
    let of_phase = |epochs: f64| config.max_steps.map_or((epochs * n_train as f64).ceil() as u64, of_steps);
    let tuned = of_phase(config.num_train_epochs);
    let tuned = search_steps(config, n_train).map_or(tuned, |search| tuned.min(of_steps(search)));
    let (tuning, retuning) = n_phases(config);
    let retuned = of_phase(config.retune_epochs).saturating_mul(retuning as u64);
    tuned.saturating_mul(tuning as u64).saturating_add(retuned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    const FACTS: ModelFacts = ModelFacts {
        hidden_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        max_position_embeddings: 128,
        is_decoder: false,
    };

    fn arm(id: &str, settings: &[(&str, &str)]) -> Arm {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Arm { id: id.into(), row: id.into(), variant: String::new(), settings: settings.collect() }
    }

    fn study(arms: Vec<Arm>) -> Study {
        let tasks = vec!["sst2".into(), "rte".into()];
        Study { name: "t0".into(), tasks, arms, ..Study::default() }
    }

    fn plan(study: &Study, draft: &RunConfigDraft, quick: bool) -> Result<Plan, Vec<FieldError>> {
        plan_of(study, draft, quick, None)
    }

    fn plan_of(
        study: &Study,
        draft: &RunConfigDraft,
        quick: bool,
        total_steps: Option<usize>,
    ) -> Result<Plan, Vec<FieldError>> {
        let files = TaskFiles { settings: vec![("train_file".into(), "a.tsv".into())], n_train: 100 };
        let files = study.tasks.iter().map(|task| (task.clone(), files.clone())).collect();
        let reserved = &[("seed", "use --seeds")];
        let basis =
            Basis { draft, reserved, facts: &FACTS, files: &files, seeds: &[1, 2], quick, total_steps };
        Plan::new(study, &basis)
    }

    #[test]
    fn every_seed_completes_a_table() {
        let study = study(vec![arm("lora", &[("method", "lora")]), arm("full", &[("method", "full")])]);
        let plan = plan(&study, &RunConfigDraft::default(), false).unwrap();
        let ids: Vec<&str> = plan.runs.iter().map(|run| run.id.as_str()).collect();
        assert_eq!(ids[..3], ["sst2-lora-seed1", "sst2-full-seed1", "rte-lora-seed1"]);
        assert_eq!((ids.len(), ids[7]), (8, "rte-full-seed2"));
        let last = &plan.runs[7].config;
        assert_eq!((last.seed, last.task.map(|task| task.spec().name)), (2, Some("rte")));
        assert_eq!(plan.runs[0].work, 500, "five epochs of SST-2's recipe");
    }

    #[test]
    fn shares_are_resolved_on_the_model_at_hand() {
        let study = study(vec![
            arm("a", &[("rank", "2/1"), ("prune", "heads:1/4")]),
            arm("b", &[("rank", "1/2"), ("prune", "heads:3/4")]),
        ]);
        let plan = plan(&study, &RunConfigDraft::default().with("rank", "8"), false).unwrap();
        let found = [0, 1].map(|i| (plan.runs[i].config.rank, plan.runs[i].config.prune.to_string()));
        assert_eq!(found, [(16, "heads:1".to_owned()), (4, "heads:3".to_owned())]);
    }

    #[test]
    fn the_user_wins_over_quick_and_the_arm_over_the_user() {
        let study = study(vec![arm("a", &[("learning_rate", "1e-3")]), arm("b", &[])]);
        let draft = RunConfigDraft::default().with("learning_rate", "2e-3").with("eval_steps", "7");
        let plan = plan(&study, &draft, true).unwrap();
        let [a, b] = [0, 1].map(|i| &plan.runs[i].config);
        assert_eq!((a.learning_rate, b.learning_rate), (1e-3, 2e-3));
        assert_eq!((a.max_steps, a.eval_steps), (Some(60), 7));
    }

    #[test]
    fn phases_share_the_steps_of_a_run() {
        let study = study(vec![
            arm("lora", &[("method", "lora"), ("prune", "none")]),
            arm("dsee", &[("method", "dsee"), ("prune", "heads:1")]),
            arm("tickets", &[("method", "bert-tickets"), ("prune", "unstructured:0.5")]),
            arm("own", &[("method", "lora"), ("prune", "none"), ("max_steps", "7")]),
            // Its search has a step: a fifth of an epoch of 100 examples, which are four batches.
            arm("early", &[("method", "earlybert")]),
        ]);
        let plan = plan_of(&study, &RunConfigDraft::default(), true, Some(120)).unwrap();
        let found: Vec<_> = plan.runs[..5].iter().map(|run| (run.config.max_steps, run.work)).collect();
        let batch = plan.runs[0].config.per_device_train_batch_size as u64;
        let expected = [(120, 120), (60, 120), (20, 120), (7, 7), (119, 120)];
        assert_eq!(found, expected.map(|(each, all)| (Some(each), all * batch)));
    }

    #[test]
    fn methods_to_come_are_left_out_and_said() {
        let study = study(vec![arm("x", &[("method", "telepathy")]), arm("b", &[])]);
        let plan = plan(&study, &RunConfigDraft::default(), false).unwrap();
        assert_eq!((plan.runs.len(), plan.left_out.len()), (4, 1));
        assert!(plan.left_out[0].1.contains("telepathy"));
    }

    #[test]
    fn what_is_compared_cannot_be_set_and_errors_come_once() {
        let study = study(vec![arm("a", &[("omega", "random")]), arm("b", &[("omega", "magnitude")])]);
        let draft = RunConfigDraft::default().with("seed", "3").with("omega", "random").with("nnz", "0");
        let errors = plan(&study, &draft, false).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["seed", "omega", "nnz"]);
        assert!(errors[0].suggestion.contains("--seeds"));
    }
}
