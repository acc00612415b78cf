//! What the window knows. It changes only by [`AppState::apply`] and [`AppState::notice`], and by the user's own settings.

pub mod presets;
mod run_view;

pub use run_view::{Activity, RunView};

use dsee_core::gpu::AdapterReport;
use dsee_core::protocol::{
    Command, DataCard, Event, FailureReport, ModelCard, Predicted, Problem, Quality, RunId, Settings,
};
use std::collections::BTreeMap;

use crate::shell::{Download, FileRef, Notice, Purpose, SavedRun, Storage};

/// Which part of the window is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Screen {
    /// Model.
    Model,
    /// Data.
    Data,
    /// Method and settings.
    Method,
    /// The run.
    #[default]
    Train,
    /// Matrices.
    Inspect,
    /// Own sentences.
    TryIt,
    /// Saved runs.
    Runs,
    /// Files out.
    Export,
    /// Lessons.
    Lessons,
}

/// What the window knows.
#[derive(Clone, Debug, Default)]
pub struct AppState {
    /// What is open.
    pub screen: Screen,
    /// What computes, once the engine is there.
    pub adapter: Option<AdapterReport>,
    /// The loaded model.
    pub model: Option<ModelCard>,
    /// The loaded data.
    pub data: Option<DataCard>,
    /// Settings the user has changed.
    pub settings: Settings,
    /// The runs of this session.
    pub runs: BTreeMap<RunId, RunView>,
    /// The run that the screens show.
    pub current: Option<RunId>,
    /// What the engine is busy with besides a run.
    pub working: Option<(String, Option<f64>)>,
    /// What is wrong with the last command that was rejected.
    pub rejected: Option<(Command, Vec<Problem>)>,
    /// What broke.
    pub failure: Option<FailureReport>,
    /// Whether the engine has ended and must be started anew.
    pub engine_gone: bool,
    /// The newest answer to a sentence.
    pub predicted: Option<Predicted>,
    /// The newest judgement of each run.
    pub quality: BTreeMap<RunId, Quality>,
    /// Files that were chosen, by what for.
    pub files: Vec<(Purpose, String, Vec<FileRef>)>,
    /// How a download stands.
    pub download: Option<Download>,
    /// What is kept on this device.
    pub storage: Storage,
    /// Saved runs.
    pub saved_runs: Vec<SavedRun>,
    /// A run that can be gone on with.
    pub last_run: Option<SavedRun>,
    /// Short messages, the newest last.
    pub messages: Vec<String>,
    /// Why this window may only look.
    pub read_only: Option<String>,
    /// What the address said at the start, until a screen has taken it.
    pub link: Option<String>,
    next_number: u64,
}

impl AppState {
    /// A number that was not used before: for runs and requests.
    pub fn next_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The run that the screens show.
    #[must_use]
    pub fn run(&self) -> Option<&RunView> {
        self.runs.get(&self.current?)
    }

    /// Takes note of an event of the engine.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Ready { adapter } => {
                self.adapter = Some(adapter.clone());
                self.engine_gone = false;
            }
            Event::ModelLoaded(card) => self.model = Some(card.clone()),
            Event::DataLoaded(card) => self.data = Some(card.clone()),
            Event::Predicted(predicted) => self.predicted = Some(predicted.clone()),
            Event::Judged { run, quality } => drop(self.quality.insert(*run, quality.clone())),
            Event::Working { what, share } => self.working = Some((what.clone(), *share)),
            Event::Rejected { command, problems } => {
                self.rejected = Some((command.clone(), problems.clone()));
            }
            Event::Failed(report) => self.failure = Some(report.clone()),
            _ => {}
        }
        if !matches!(event, Event::Working { .. } | Event::Run { .. }) {
            self.working = None;
        }
        for (id, run) in &mut self.runs {
            run.apply(*id, event);
        }
    }

    /// Takes note of what the app around the window tells.
    pub fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Files { purpose, name, files } => self.files.push((purpose, name, files)),
            Notice::Saved { place } => self.messages.push(format!("Saved: {place}")),
            Notice::Download(download) => self.download = Some(*download),
            Notice::Storage(storage) => self.storage = storage,
            Notice::Runs(runs) => self.saved_runs = runs,
            Notice::LastRun(run) => self.last_run = run.map(|run| *run),
            Notice::Link(link) => self.link = Some(link),
            Notice::Problem(text) => self.messages.push(text),
            Notice::EngineGone(report) => {
                self.failure = Some(report);
                self.engine_gone = true;
            }
            Notice::ReadOnly(why) => self.read_only = Some(why),
        }
    }
}
