//! One run as the window sees it: everything it told, in the order of its steps.

use dsee_core::config::RunConfig;
use dsee_core::protocol::{Event, Loaded, Phase, PruneReport, RunEvent, RunId, RunSummary, StepReport};
use dsee_core::report::RunReport;

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// It was started and has not told anything yet.
    #[default]
    Starting,
    /// It goes on.
    Running,
    /// It waits.
    Paused,
    /// It ran to its end.
    Finished,
    /// The user ended it.
    Stopped,
    /// Something broke.
    Failed,
}

/// One run.
#[derive(Clone, Debug, Default)]
pub struct RunView {
    /// What it is doing.
    pub activity: Activity,
    /// Everything it told, as its report will show it.
    pub report: RunReport,
    /// What was loaded.
    pub loaded: Option<Loaded>,
    /// The phase under way.
    pub phase: Option<Phase>,
    /// The newest step.
    pub newest: Option<StepReport>,
    /// Steps of the whole run → their reports.
    pub steps: Vec<(usize, StepReport)>,
    /// Steps before the phase under way.
    pub steps_before: usize,
    /// What pruning did.
    pub pruned: Option<PruneReport>,
    /// The end.
    pub summary: Option<RunSummary>,
    /// Steps of the newest checkpoint that was saved.
    pub saved_step: Option<usize>,
}

impl RunView {
    /// A run that is about to begin.
    #[must_use]
    pub fn begin(config: &RunConfig) -> Self {
        Self { report: RunReport::begin(config), ..Self::default() }
    }

    /// Takes note of an event, if it is about the run called `id`.
    pub fn apply(&mut self, id: RunId, event: &Event) {
        match event {
            Event::Run { run, event } if *run == id => self.note(event),
            Event::Paused { run, .. } if *run == id => self.activity = Activity::Paused,
            Event::Resumed { run } if *run == id => self.activity = Activity::Running,
            Event::Stopped { run, .. } if *run == id => self.activity = Activity::Stopped,
            Event::CheckpointSaved { run, step } if *run == id => self.saved_step = Some(*step),
            Event::Failed(report) if report.run == Some(id) => self.activity = Activity::Failed,
            _ => {}
        }
    }

    fn note(&mut self, event: &RunEvent) {
        self.report.note(event);
        if self.activity == Activity::Starting {
            self.activity = Activity::Running;
        }
        match event {
            RunEvent::Loaded(loaded) => self.loaded = Some(loaded.clone()),
            RunEvent::PhaseStarted { phase, .. } => {
                self.steps_before = self.steps.last().map_or(0, |(step, _)| *step);
                self.phase = Some(*phase);
            }
            RunEvent::Progress(report) => {
                self.steps.push((self.steps_before + report.step, report.clone()));
                self.newest = Some(report.clone());
            }
            RunEvent::Pruned(report) => self.pruned = Some(report.clone()),
            RunEvent::Finished(summary) => {
                self.summary = Some(summary.clone());
                self.activity = Activity::Finished;
            }
            _ => {}
        }
    }
}
