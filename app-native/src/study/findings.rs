//! What the runs below a folder came to, written and printed.

use anyhow::Context as _;
use dsee_core::{
    protocol::Phase,
    report::{ComparisonReport, RunReport, Setting},
    study::{
        Arm,
        document::{Findings, verdict_line},
        results::{Outcome, Results},
        tables,
    },
    tasks::Task,
};
use std::{collections::BTreeMap, fs, path::Path};

use super::manifest::{Manifest, ManifestRun};
use crate::{atomic, recorder::REPORT_DATA_FILE, run_folder::SETTINGS_FILE, text_evaluation::figures_of};

/// Results as data, beside the written reports.
const RESULTS_FILE: &str = "results.json";

/// The finished runs of a study.
#[derive(Default)]
pub struct Gathered {
    results: Results,
    reports: BTreeMap<String, RunReport>,
    /// Sentences the reader must see.
    pub notes: Vec<String>,
}

/// Whether there is a run in the folder, in whatever state.
pub fn is_begun(path: &Path) -> bool {
    path.join(SETTINGS_FILE).is_file()
}

/// The report of a run that is complete: it was evaluated at the end and its exports are written. `None` if it is not.
pub fn finished_report(path: &Path) -> Option<RunReport> {
    let report: RunReport = serde_json::from_slice(&fs::read(path.join(REPORT_DATA_FILE)).ok()?).ok()?;
    // The last row is recorded together with the exports, after they were read back.
    let is_evaluated = report.phase_rows.last()?.phase == Phase::Evaluate.to_string();
    (is_evaluated && !report.how_to_load.is_empty()).then_some(report)
}

/// The same of a run of a study, whose texts are part of it where its task is to write some.
pub fn done_report(path: &Path, task: &str) -> Option<RunReport> {
    finished_report(path).filter(|_| !writes_texts(task) || figures_of(path).is_some())
}

/// Whether a task of a study ends with texts.
pub fn writes_texts(task: &str) -> bool {
    Task::from_name(task).is_some_and(|task| task.spec().main_text_metric().is_some())
}

impl Gathered {
    /// Reads the runs below `root` that are finished.
    ///
    /// # Errors
    /// If a finished run has no figures.
    pub fn of(manifest: &Manifest, root: &Path) -> anyhow::Result<Self> {
        let mut gathered = Self { notes: notes(manifest), ..Self::default() };
        for run in &manifest.runs {
            gathered.take(run, &root.join(&run.id))?;
        }
        Ok(gathered)
    }

    /// Nothing yet.
    pub fn none(manifest: &Manifest) -> Self {
        Self { notes: notes(manifest), ..Self::default() }
    }

    /// Takes in a run, if it is finished.
    ///
    /// # Errors
    /// If it is finished and has no figures.
    pub fn take(&mut self, run: &ManifestRun, path: &Path) -> anyhow::Result<()> {
        let Some(report) = done_report(path, &run.task) else { return Ok(()) };
        let mut outcome = Outcome::read(&run.id, &run.arm, &run.task, run.seed, &report)
            .with_context(|| format!("the run has no figures: {}", path.display()))?;
        let main = Task::from_name(&run.task).and_then(|task| task.spec().main_text_metric());
        if let (Some(main), Some(figures)) = (main, figures_of(path)) {
            outcome = outcome.with_texts(figures, main);
        }
        self.results.outcomes.push(outcome);
        self.reports.insert(run.id.clone(), report);
        Ok(())
    }

    /// Writes the reports and the data.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, manifest: &Manifest, root: &Path) -> anyhow::Result<()> {
        let (report, json) = self.documents(manifest);
        fs::create_dir_all(root).with_context(|| format!("cannot make the folder: {}", root.display()))?;
        atomic::write(&root.join("report.html"), report.to_html().as_bytes())?;
        atomic::write(&root.join("report.md"), report.to_markdown().as_bytes())?;
        Ok(atomic::write(&root.join(RESULTS_FILE), format!("{json:#}\n").as_bytes())?)
    }

    /// Prints the table, or the data, on stdout.
    ///
    /// # Errors
    /// Never; the table can always be made.
    pub fn print(&self, manifest: &Manifest, root: Option<&Path>, json: bool) -> anyhow::Result<()> {
        let (report, data) = self.documents(manifest);
        if json {
            tell!("{data:#}");
            return Ok(());
        }
        tell!("{}", report.to_markdown().trim_end());
        if !manifest.study.claims.is_empty() {
            tell!("\nclaims: {}", verdict_line(&manifest.study, &self.results));
        }
        if let Some(root) = root {
            tell!("\n{:<9} {}", "report", root.join("report.html").display());
        }
        Ok(())
    }

    fn documents(&self, manifest: &Manifest) -> (ComparisonReport, serde_json::Value) {
        let (facts, settings) = (self.facts(manifest), shared_settings(manifest));
        let findings = Findings {
            study: &manifest.study,
            results: &self.results,
            n_planned: manifest.runs.len(),
            facts: &facts,
            notes: &self.notes,
            settings: &settings,
        };
        (findings.report(&self.reports), findings.to_json())
    }

    fn facts(&self, manifest: &Manifest) -> Vec<(String, String)> {
        let mut seeds: Vec<u64> = manifest.runs.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let seeds: Vec<String> = seeds.iter().map(ToString::to_string).collect();
        let data = manifest.data.iter().map(|(task, data)| {
            format!("{task} ({} to train, {} to validate)", data.n_train, data.n_validation)
        });
        let mut adapters: Vec<&str> = self.reports.values().map(|report| report.adapter.as_str()).collect();
        adapters.sort_unstable();
        adapters.dedup();
        let facts = [
            ("Model", manifest.model.clone()),
            ("Paper's", manifest.study.paper_model.clone()),
            ("Data", data.collect::<Vec<_>>().join(", ")),
            ("Seeds", seeds.join(", ")),
            ("Adapter", adapters.join(", ")),
        ];
        let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
        facts.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn notes(manifest: &Manifest) -> Vec<String> {
    let mut notes = Vec::new();
    if manifest.quick {
        notes
            .push("shortened by --quick: it shows that everything works, not what the methods can do".into());
    }
    if let Some(total) = manifest.total_steps {
        notes.push(format!(
            "every run makes {total} optimizer steps in all, shared evenly by its phases (without the rest that cannot be)"
        ));
    }
    notes.extend(changed(manifest));
    notes.extend(manifest.left_out.iter().map(|(arm, reason)| format!("{arm} was not run: {reason}")));
    notes
}

/// What was set for a row otherwise than its table does, a sentence a row.
fn changed(manifest: &Manifest) -> Vec<String> {
    let Some(table) = tables::find(&manifest.study.name) else { return Vec::new() };
    let of_arm = |arm: &Arm| {
        let known = &table.arm(&arm.id)?.settings;
        let new = arm.settings.iter().filter(|pair| !known.contains(pair));
        let new: Vec<String> = new.map(|(name, value)| format!("{name} = {value}")).collect();
        (!new.is_empty()).then(|| format!("{} has settings of its own by --set: {}", arm.row, new.join(", ")))
    };
    manifest.study.arms.iter().filter_map(of_arm).collect()
}

/// Settings that are the same in all runs.
fn shared_settings(manifest: &Manifest) -> Vec<Setting> {
    let Some((first, others)) = manifest.runs.split_first() else { return Vec::new() };
    let is_shared = |pair: &&(String, String)| others.iter().all(|run| run.settings.contains(pair));
    let shared = first.settings.iter().filter(is_shared);
    shared.map(|(name, value)| Setting { name: name.clone(), value: value.clone() }).collect()
}
