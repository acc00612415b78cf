//! The runs of a study one after another, each by the code of `dsee train`. What is finished is not done again, what
//! was interrupted goes on.

use anyhow::Context as _;
use dsee_core::{protocol::OmegaReport, study::plan::PlannedRun, tasks::scoring::METEOR_IN_FULL};
use std::{path::Path, time::Instant};

use super::{
    StudyArgs,
    args::again,
    findings::{done_report, finished_report, is_begun, writes_texts},
    places,
};
use crate::{
    failure::Failure,
    gpu_args::GpuArgs,
    interrupt,
    progress::clock,
    resume::ResumePoint,
    run_folder::RunFolder,
    run_inputs::{self, Inputs},
    text_evaluation::{self, figures_of},
    texts, training,
};

/// Does what is left of `runs`. Gives the runs that failed, with their reasons; the others are done.
///
/// # Errors
/// If the user interrupts, or a folder cannot be used.
pub fn all(runs: &[&PlannedRun], root: &Path, args: &StudyArgs) -> Result<Vec<(String, String)>, Failure> {
    interrupt::listen()?;
    let is_left = |run: &&&PlannedRun| !is_done(run, &root.join(&run.id), args);
    let left: Vec<&&PlannedRun> = runs.iter().filter(is_left).collect();
    if left.len() < runs.len() {
        say!("{:<9} {} of {} runs are done already", "study", runs.len() - left.len(), runs.len());
    }
    check_texts(&left)?;
    let mut outlook = Outlook::new(left.iter().map(|run| run.work).sum());
    let mut failed = Vec::new();
    for (i, run) in left.iter().enumerate() {
        say!("\nrun {} of {}  {}{}", i + 1, left.len(), run.id, outlook.text());
        let start = Instant::now();
        let path = root.join(&run.id);
        let found_omega = places::found(run, runs, root);
        match one(run, &path, found_omega, args.gpu).and_then(|folder| written(run, folder, root, args)) {
            Ok(folder) if args.keep_models => drop(folder),
            Ok(folder) => folder.slim(),
            Err(Failure::Interrupted { .. }) => {
                return Err(Failure::Interrupted { resume_command: again(root) });
            }
            // A run that diverges is a result, too; the others must not wait for it.
            Err(Failure::Stopped { cause, .. }) => {
                say!("error: {cause:#}");
                failed.push((run.id.clone(), format!("{cause:#}")));
            }
            Err(other) => return Err(other),
        }
        if interrupt::requested() {
            return Err(Failure::Interrupted { resume_command: again(root) });
        }
        outlook.note(run.work, start.elapsed().as_secs_f64());
    }
    Ok(failed)
}

/// Whether nothing is left to do. Texts that are there are scored again when METEOR's tables come later.
fn is_done(run: &PlannedRun, path: &Path, args: &StudyArgs) -> bool {
    let has_all = || {
        !args.meteor.is_given() || figures_of(path).is_none_or(|figures| figures.contains_key(METEOR_IN_FULL))
    };
    done_report(path, &run.task).is_some() && has_all()
}

/// Finds contexts that leave no room for a text before the first run begins: every data set once, with each of the
/// settings that decide about it.
fn check_texts(runs: &[&&PlannedRun]) -> anyhow::Result<()> {
    let mut checked = Vec::new();
    for run in runs.iter().filter(|run| writes_texts(&run.task)) {
        let config = &run.config;
        let max_new_tokens = config.generation.map(|settings| settings.max_new_tokens);
        // Without a validation file every seed holds out another part of the training file.
        let is_split = config.train_file.is_some() && config.validation_file.is_none();
        let decides = (config.task, max_new_tokens, config.prefix_length, is_split.then_some(config.seed));
        if !checked.contains(&decides) {
            let inputs = run_inputs::read(config)?;
            texts::check_contexts(config, &inputs).with_context(|| format!("run {}", run.id))?;
            checked.push(decides);
        }
    }
    Ok(())
}

/// Writes the texts that the run is judged by, where its task is to write some.
fn written(run: &PlannedRun, folder: RunFolder, root: &Path, args: &StudyArgs) -> Result<RunFolder, Failure> {
    if writes_texts(&run.task) && !interrupt::requested() {
        text_evaluation::of_run(folder.path(), &args.meteor, &again(root))?;
    }
    Ok(folder)
}

/// Begins the run, or goes on with it.
fn one(
    run: &PlannedRun,
    path: &Path,
    found_omega: Vec<OmegaReport>,
    gpu: GpuArgs,
) -> Result<RunFolder, Failure> {
    if is_begun(path) {
        let folder = RunFolder::open(path)?;
        if finished_report(path).is_some() {
            return Ok(folder);
        }
        training::go_on(ResumePoint::at(path)?, found_omega, gpu)?;
        return Ok(folder);
    }
    let mut config = run.config.clone();
    config.output_dir = Some(path.display().to_string());
    let inputs = Inputs { found_omega, ..run_inputs::read(&config)? };
    training::begin(config, inputs, None, gpu)?;
    Ok(RunFolder::open(path)?)
}

/// How long all runs will take, going by those that are done.
struct Outlook {
    work_left: u64,
    work_done: u64,
    seconds: f64,
}

impl Outlook {
    fn new(work_left: u64) -> Self {
        Self { work_left, work_done: 0, seconds: 0.0 }
    }

    fn note(&mut self, work: u64, seconds: f64) {
        self.work_left = self.work_left.saturating_sub(work);
        self.work_done += work;
        self.seconds += seconds;
    }

    fn text(&self) -> String {
        if self.work_done == 0 {
            return String::new();
        }
        let left = self.seconds / self.work_done as f64 * self.work_left as f64;
        format!("  about {} left for all", clock(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_work() {
        let mut outlook = Outlook::new(100);
        assert_eq!(outlook.text(), "");
        outlook.note(20, 60.0);
        assert_eq!(outlook.text(), "  about 4:00 left for all");
    }
}
