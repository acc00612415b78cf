//! What becomes of a run's events: the display, the logs, the report and the checkpoints in the run folder.

use anyhow::Context as _;
use dsee_core::config::RunConfig;
use dsee_core::protocol::{RunEvent, RunSummary};
use dsee_core::report::RunReport;

use crate::{
    atomic::NamedBytes,
    progress::Progress,
    run_folder::{RunFolder, STATE_FILE},
    trainer_log::TrainerLog,
};

/// The report as data: in every checkpoint so that a resumed run goes on with it, and beside the written report.
pub const REPORT_DATA_FILE: &str = "report.json";

/// Keeps the run folder up to date.
pub struct RunRecorder {
    folder: RunFolder,
    save_total_limit: usize,
    log: TrainerLog,
    report: RunReport,
    /// The display, for lines that are no events.
    pub progress: Progress,
    summary: Option<RunSummary>,
}

impl RunRecorder {
    /// The record of a new run, shown on stderr as it grows.
    pub fn new(folder: RunFolder, config: &RunConfig) -> Self {
        Self {
            folder,
            save_total_limit: config.save_total_limit,
            log: TrainerLog::new(config),
            report: RunReport::begin(config),
            progress: Progress::new(),
            summary: None,
        }
    }

    /// The same without a display of its own.
    pub fn silent(folder: RunFolder, config: &RunConfig) -> Self {
        Self { progress: Progress::silent(), ..Self::new(folder, config) }
    }

    /// Goes on with the record that lies in the checkpoint of `step`; later lines of the log are cut off.
    ///
    /// # Errors
    /// If a file of the record is damaged, or the log cannot be rewritten.
    pub fn restore(&mut self, step: usize, files: &[NamedBytes]) -> anyhow::Result<()> {
        let find =
            |name: &str| files.iter().find(|(file, _)| file == name).map(|(_, bytes)| bytes.as_slice());
        if let Some(bytes) = find(STATE_FILE) {
            let state = serde_json::from_slice(bytes).with_context(|| format!("{STATE_FILE} is damaged"))?;
            self.log.restore(&state, step);
        }
        if let Some(bytes) = find(REPORT_DATA_FILE) {
            self.report =
                serde_json::from_slice(bytes).with_context(|| format!("{REPORT_DATA_FILE} is damaged"))?;
        }
        self.folder.cut_log(self.log.n_entries())
    }

    /// The folder that is written.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Shows and records one event.
    ///
    /// # Errors
    /// If the log cannot be written.
    pub fn note(&mut self, event: &RunEvent) -> anyhow::Result<()> {
        self.progress.show(event);
        self.report.note(event);
        if let Some(line) = self.log.note(event) {
            self.folder.append_log(&line)?;
        }
        if let RunEvent::Finished(summary) = event {
            self.summary = Some(summary.clone());
        }
        Ok(())
    }

    /// Writes a checkpoint of the engine's `files` with the record so far, and the record itself.
    ///
    /// # Errors
    /// If they cannot be written; earlier checkpoints are still there.
    pub fn save_checkpoint(&mut self, step: usize, mut files: Vec<NamedBytes>) -> anyhow::Result<()> {
        let state = self.log.state();
        files.push((STATE_FILE.to_owned(), format!("{state:#}\n").into_bytes()));
        files.push((REPORT_DATA_FILE.to_owned(), serde_json::to_vec(&self.report)?));
        self.folder.save_checkpoint(step, &files, self.log.best_step(), self.save_total_limit)?;
        self.write_record()
    }

    /// Writes the state and both forms of the report.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_record(&self) -> anyhow::Result<()> {
        self.folder.write_state(&self.log.state())?;
        write_report(&self.folder, &self.report)
    }

    /// What to tell readers of the report about the exported files.
    pub fn set_how_to_load(&mut self, text: &str) {
        text.clone_into(&mut self.report.how_to_load);
    }

    /// The summary, once the run has finished.
    pub fn summary(&self) -> Option<&RunSummary> {
        self.summary.as_ref()
    }
}

/// Writes a report as data and as both documents.
///
/// # Errors
/// If they cannot be written.
pub fn write_report(folder: &RunFolder, report: &RunReport) -> anyhow::Result<()> {
    folder.write(REPORT_DATA_FILE, &serde_json::to_vec(report)?)?;
    folder.write("report.html", report.to_html().as_bytes())?;
    folder.write("report.md", report.to_markdown().as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::run_folder::read_folder;
    use dsee_core::config::RunConfigDraft;
    use dsee_core::protocol::{Phase, StepReport};
    use std::fs;

    fn recorder(path: &std::path::Path) -> RunRecorder {
        let mut config =
            RunConfigDraft::default().with("output_dir", path.to_str().unwrap()).check().unwrap();
        let folder = if path.exists() {
            RunFolder::open(path).unwrap()
        } else {
            RunFolder::create(&mut config).unwrap()
        };
        RunRecorder::new(folder, &config)
    }

    fn note_steps(recorder: &mut RunRecorder, steps: std::ops::RangeInclusive<usize>) {
        for step in steps {
            let report = StepReport {
                phase: Phase::Tune,
                step,
                total_steps: 8,
                epoch: step as f64 / 8.0,
                loss: 1.0 / step as f64,
                learning_rate: 1e-3,
                grad_norm: 1.0,
                tokens_per_second: 10.0,
                gpu_bytes: 100,
                elapsed_seconds: 1.0,
                remaining_seconds: 1.0,
            };
            recorder.note(&RunEvent::Progress(report)).unwrap();
        }
    }

    #[test]
    fn a_resumed_record_equals_an_unbroken_one() {
        let place = tempfile::tempdir().unwrap();
        let start = RunEvent::PhaseStarted { phase: Phase::Tune, planned_steps: 8 };
        let mut unbroken = recorder(&place.path().join("unbroken"));
        unbroken.note(&start).unwrap();
        note_steps(&mut unbroken, 1..=8);
        unbroken.write_record().unwrap();

        let broken_path = place.path().join("broken");
        let mut first = recorder(&broken_path);
        first.note(&start).unwrap();
        note_steps(&mut first, 1..=4);
        first.save_checkpoint(4, vec![("weights".to_owned(), vec![7])]).unwrap();
        // Two more steps that the crash makes undone.
        note_steps(&mut first, 5..=6);
        drop(first);
        let mut second = recorder(&broken_path);
        let files = read_folder(&second.folder().checkpoint_path(4)).unwrap();
        second.restore(4, &files).unwrap();
        note_steps(&mut second, 5..=8);
        second.write_record().unwrap();

        let both = |name: &str| {
            ["unbroken", "broken"].map(|run| fs::read_to_string(place.path().join(run).join(name)).unwrap())
        };
        for name in ["trainer_log.jsonl", "report.md"] {
            let [unbroken, broken] = both(name);
            assert_eq!(unbroken, broken, "{name}");
        }
        let [unbroken, broken] = both(STATE_FILE).map(|text| serde_json::from_str(&text).unwrap());
        let (unbroken, broken): (serde_json::Value, serde_json::Value) = (unbroken, broken);
        assert_eq!(unbroken["log_history"], broken["log_history"]);
    }
}
