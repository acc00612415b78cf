//! What the window knows. It changes only by [`AppState::apply`] and [`AppState::notice`], and by the user's own settings.

mod control;
mod frames;
mod log;
pub mod presets;
mod progress;
mod run_view;
mod sources;

pub use control::Remedy;
pub use frames::{FrameFigures, FrameTimes};
pub use log::Log;
pub use progress::{Progress, doing};
pub use run_view::{Activity, RunView};
pub use sources::Sources;

use dsee_core::gpu::AdapterReport;
use dsee_core::protocol::{
    Command, DataCard, DataForm, Event, FailureReport, HeadOrigin, ModelCard, Predicted, Problem, Quality,
    RunId, Settings,
};
use std::collections::{BTreeMap, BTreeSet};

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

impl Screen {
    /// All screens in the order of the work.
    pub const ALL: [Self; 9] = [
        Self::Model,
        Self::Data,
        Self::Method,
        Self::Train,
        Self::Inspect,
        Self::TryIt,
        Self::Runs,
        Self::Export,
        Self::Lessons,
    ];

    /// Its name on the window.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Data => "Data",
            Self::Method => "Method",
            Self::Train => "Train",
            Self::Inspect => "Inspect",
            Self::TryIt => "Try it",
            Self::Runs => "Runs",
            Self::Export => "Export",
            Self::Lessons => "Lessons",
        }
    }

    /// Its name in a link.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Data => "data",
            Self::Method => "method",
            Self::Train => "train",
            Self::Inspect => "inspect",
            Self::TryIt => "try",
            Self::Runs => "runs",
            Self::Export => "export",
            Self::Lessons => "lessons",
        }
    }
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
    /// Milliseconds the GPU is to work at a stretch, where the usual time was too long for it.
    pub gpu_target_ms: Option<f64>,
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
    /// The open lesson and how it is set, as it stands in a link; the lessons screen writes and reads it.
    pub lesson: Option<String>,
    /// Controls that a link hides: `nav`, `transport`, `settings`, and names of the lessons' own.
    pub hidden: BTreeSet<String>,
    /// What happened lately.
    pub log: Log,
    /// A saved run that was asked for by name and is to be shown.
    pub shown_run: Option<String>,
    /// Whether the app can keep the screen of the device awake.
    pub can_keep_awake: bool,
    /// Whether the screen of the device is to stay awake while a run goes on.
    pub keep_awake: bool,
    /// How long drawing takes during a run.
    pub frames: FrameTimes,
    /// Where the loaded model and data came from.
    pub sources: Sources,
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

    /// Whether the model writes text: a decoder, with data that have no labels.
    #[must_use]
    pub fn writes(&self) -> bool {
        let Some(model) = &self.model else { return false };
        match &self.data {
            Some(data) => model.is_decoder && data.form != DataForm::Labelled,
            None => model.head == HeadOrigin::Words,
        }
    }

    /// Whether what it writes goes on from a beginning: after plain text, or a decoder as it came. The built-in one is
    /// for meanings.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        let is_embedded = self.model.as_ref().is_some_and(|model| model.embedded);
        self.data.as_ref().map_or(!is_embedded, |data| data.form == DataForm::Plain)
    }

    /// The runs of this session that are not in the list of saved ones, or go on: the list shows each run once.
    pub fn session_runs(&self) -> impl DoubleEndedIterator<Item = (&RunId, &RunView)> {
        let is_saved = |id: &RunId| self.saved_runs.iter().any(|saved| saved.run == Some(*id));
        self.runs.iter().filter(move |(id, run)| run.activity.is_under_way() || !is_saved(id))
    }

    /// The saved runs that do not go on in this session.
    pub fn resting_runs(&self) -> impl Iterator<Item = &SavedRun> {
        let goes_on = |id| self.runs.get(&id).is_some_and(|run| run.activity.is_under_way());
        self.saved_runs.iter().filter(move |saved| !saved.run.is_some_and(goes_on))
    }

    /// Whether a control is to be drawn.
    #[must_use]
    pub fn shows(&self, control: &str) -> bool {
        !self.hidden.contains(control)
    }

    /// Takes note of an event of the engine.
    pub fn apply(&mut self, event: &Event) {
        self.log.event(event);
        match event {
            Event::Ready { adapter } => self.note_ready(adapter),
            Event::ModelLoaded(card) => {
                self.forget_first_run(card.embedded);
                self.model = Some(card.clone());
            }
            Event::DataLoaded(card) => {
                self.forget_first_run(card.embedded);
                self.data = Some(card.clone());
            }
            Event::Predicted(predicted) => self.predicted = Some(predicted.clone()),
            Event::Judged { run, quality } => drop(self.quality.insert(*run, quality.clone())),
            Event::Working { what, share } => self.working = Some((what.clone(), *share)),
            // It has just ended by itself, which is as well.
            Event::Rejected { command: Command::StopWriting { .. }, .. } => {}
            Event::Rejected { command, problems } => {
                self.note_rejected(command, problems);
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
            Notice::ShowRun(key) => {
                self.shown_run = Some(key);
                self.screen = Screen::Runs;
            }
            Notice::CanKeepAwake => self.can_keep_awake = true,
            Notice::Frame { seconds } => {
                let run = self.current.filter(|_| self.activity() == Some(Activity::Running));
                self.frames.note(run, seconds);
            }
            Notice::LastRun(run) => self.last_run = run.map(|run| *run),
            Notice::Link(link) => {
                crate::link::apply(self, &link);
                self.link = Some(link);
            }
            Notice::Problem(text) => {
                self.log.line(format!("problem: {text}"));
                self.messages.push(text);
            }
            Notice::EngineGone(report) => self.note_engine_gone(report),
            Notice::ReadOnly(why) => self.read_only = Some(why),
        }
    }

    fn note_ready(&mut self, adapter: &AdapterReport) {
        let first = self.adapter.is_none();
        self.adapter = Some(adapter.clone());
        self.engine_gone = false;
        if first && self.settings.is_empty() {
            self.settings = presets::first_run();
        }
    }

    /// The quick settings are for the model and the data inside the program only.
    fn forget_first_run(&mut self, embedded: bool) {
        let is_quick = [presets::first_run(), presets::first_text()].contains(&self.settings);
        if !embedded && is_quick {
            self.settings.clear();
        }
    }

    /// A run that could not start never was.
    fn note_rejected(&mut self, command: &Command, problems: &[Problem]) {
        self.rejected = Some((command.clone(), problems.to_vec()));
        if let Command::Start { run, .. } | Command::Restore { run, .. } = command {
            self.runs.remove(run);
            if self.current == Some(*run) {
                self.current = self.runs.keys().next_back().copied();
            }
        }
    }

    fn note_engine_gone(&mut self, report: FailureReport) {
        self.log.line(format!("the engine ended: {}", report.text));
        for run in self.runs.values_mut().filter(|run| run.activity.is_under_way()) {
            run.activity = Activity::Failed;
        }
        self.failure = Some(report);
        self.engine_gone = true;
        self.working = None;
    }
}
