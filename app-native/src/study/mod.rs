//! Carrying out a study: many ordinary runs below one folder, and the table they come to.
//!
//! ```text
//! study.json  report.html  report.md  results.json  <task>-<arm>-seed<N>/ (a run folder each)
//! ```

mod args;
mod carry_out;
mod findings;
mod manifest;
mod merge;
pub mod own_settings;
mod places;

pub use args::{StudyArgs, this_command};

use dsee_core::{
    config::{FieldError, RunConfigDraft},
    data::RunData,
    engine::{corpus::check_metric, facts_of},
    models::{family::names, files::PretrainedModel},
    study::{
        OWN_DATA, Settings, Study,
        plan::{Basis, Plan, TaskFiles, quick_settings, refused},
        shard::Shard,
    },
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    failure::Failure,
    run_folder::{RUNS_FOLDER, new_path},
    run_inputs,
    settings_args::{as_flags, refuse_idle},
};
use findings::Gathered;
use manifest::Manifest;

/// What a verb knows of its study.
pub struct Assignment<'a> {
    /// The study.
    pub study: Study,
    /// Task → settings that name its files; nothing where the user's own settings do.
    pub files: BTreeMap<String, Settings>,
    /// Settings the verb decides itself, with what to use instead.
    pub reserved: &'a [(&'a str, &'a str)],
    /// Seeds if none are named.
    pub seeds: &'a [u64],
}

/// Does the runs of a study that are not done yet, or joins those of several folders, and prints the table.
///
/// # Errors
/// Everything that is wrong with settings, model and data before the first run starts, and runs that failed after all
/// others are done.
pub fn run(assignment: Assignment<'_>, args: &StudyArgs, json: bool) -> Result<(), Failure> {
    let draft = args.settings.draft()?;
    if !args.merge.is_empty() {
        let output = draft.text("output_dir").map(PathBuf::from);
        return merge::run(&assignment.study.name, &args.merge, output.as_deref(), json);
    }
    let seeds = args.seeds.clone().unwrap_or_else(|| {
        let n = if args.quick { 1 } else { assignment.seeds.len() };
        assignment.seeds[..n].to_vec()
    });
    if let Some(twice) =
        seeds.iter().enumerate().find_map(|(i, seed)| seeds[..i].contains(seed).then_some(seed))
    {
        let error = FieldError::new("--seeds", twice, "is named twice", "leave one out");
        return Err(Failure::Settings(vec![error]));
    }
    let (plan, manifest) = prepare(assignment, args, draft, &seeds)?;
    let root = match args.settings.flags.text("output_dir") {
        Some(path) => PathBuf::from(path),
        None => new_path(Path::new(RUNS_FOLDER), Some(&manifest.study.name)),
    };
    manifest.settle_in(&root)?;
    let work: Vec<u64> = plan.runs.iter().map(|run| run.work).collect();
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let own: Vec<_> = shard.of(&work).into_iter().map(|i| &plan.runs[i]).collect();
    say!("{:<9} {} runs below {}{}", "study", own.len(), root.display(), part(shard, plan.runs.len()));
    let failed = carry_out::all(&own, &root, args)?;
    let mut gathered = Gathered::of(&manifest, &root)?;
    gathered.notes.extend(failed.iter().map(|(id, reason)| format!("{id} failed: {reason}")));
    if shard.is_part() {
        gathered.notes.push(format!("this is shard {shard}; join all of them with --merge"));
    }
    gathered.write(&manifest, &root)?;
    gathered.print(&manifest, Some(&root), json)?;
    match failed.len() {
        0 => Ok(()),
        n => Err(anyhow::anyhow!("{n} of {} runs failed; the table says which", own.len()).into()),
    }
}

fn part(shard: Shard, n_runs: usize) -> String {
    if shard.is_part() { format!(", shard {shard} of {n_runs} runs") } else { String::new() }
}

/// Reads model and data once, so that whatever is wrong with them is said before the first run.
fn prepare(
    assignment: Assignment<'_>,
    args: &StudyArgs,
    mut draft: RunConfigDraft,
    seeds: &[u64],
) -> Result<(Plan, Manifest), Failure> {
    let Assignment { study, files, reserved, .. } = assignment;
    draft.unset("output_dir");
    let of_total = args.total_steps.map(|_| ("max_steps", "name --total-steps or --max-steps, not both"));
    let reserved: Vec<_> = reserved.iter().copied().chain(of_total).collect();
    let mut wrong = refused(&study, &draft, &reserved);
    wrong.extend(draft.check().err().into_iter().flatten());
    if !wrong.is_empty() {
        return Err(settings(wrong));
    }
    let model = read_model(&study, &draft)?;
    let quick = |task: &str| if args.quick { quick_settings(&study, task) } else { Settings::new() };
    let data = read_data(&study, &files, &draft, &quick, &model)?;
    let facts = facts_of(&model.config);
    let task_files = data.iter().map(|(task, data)| {
        let settings = files.get(task).cloned().unwrap_or_default();
        (task.clone(), TaskFiles { settings, n_train: manifest::sizes(data).0 })
    });
    let task_files = task_files.collect();
    let basis = Basis {
        draft: &draft,
        reserved: &reserved,
        facts: &facts,
        files: &task_files,
        seeds,
        quick: args.quick,
        total_steps: args.total_steps.map(|n| n as usize),
    };
    let plan = Plan::new(&study, &basis).map_err(settings)?;
    check_metrics(&plan, &data)?;
    refuse_idle(plan.runs.iter().map(|run| &run.config), &args.settings.flags)?;
    let manifest = Manifest::new(study, &plan, &model, &data, args);
    Ok((plan, manifest))
}

fn settings(errors: Vec<FieldError>) -> Failure {
    Failure::Settings(as_flags(errors))
}

/// Every run can be judged by the figure that was asked for.
fn check_metrics(plan: &Plan, data: &BTreeMap<String, RunData>) -> Result<(), Failure> {
    let mut wrong: Vec<FieldError> = Vec::new();
    for run in &plan.runs {
        let error = data.get(&run.task).and_then(|data| check_metric(&run.config, data).err());
        wrong.extend(error.filter(|error| !wrong.contains(error)));
    }
    if wrong.is_empty() { Ok(()) } else { Err(settings(wrong)) }
}

/// The model, if it can do what the study is about.
fn read_model(study: &Study, draft: &RunConfigDraft) -> Result<PretrainedModel, Failure> {
    let named: RunConfigDraft = draft.text("model").map(|model| ("model", model)).into_iter().collect();
    let model = run_inputs::load_model(&named.check().map_err(settings)?)?;
    if !study.text_tasks().is_empty() && !model.config.family.is_causal() {
        return Err(anyhow::anyhow!(
            "{} is about texts, and {} writes none; name a decoder ({}) with --model",
            study.name,
            model.name,
            names(true)
        )
        .into());
    }
    Ok(model)
}

/// The data of every task; the problems of all of them at once.
fn read_data(
    study: &Study,
    files: &BTreeMap<String, Settings>,
    draft: &RunConfigDraft,
    quick: &impl Fn(&str) -> Settings,
    model: &PretrainedModel,
) -> Result<BTreeMap<String, RunData>, Failure> {
    let (mut data, mut problems) = (BTreeMap::new(), Vec::new());
    for task in &study.tasks {
        let mut draft = RunConfigDraft::from_iter(quick(task)).overridden_by(draft);
        if task != OWN_DATA {
            draft.set("task", task);
        }
        for (name, value) in files.get(task).into_iter().flatten() {
            draft.set(name, value);
        }
        let config = draft.check().map_err(settings)?;
        match run_inputs::load_data(&config, model.config.id2label.clone()) {
            Ok(read) => {
                data.insert(task.clone(), read);
            }
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    if problems.is_empty() { Ok(data) } else { Err(anyhow::anyhow!(problems.join("\n")).into()) }
}
