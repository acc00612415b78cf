//! One run as the window sees it: everything it told, in the order of its steps.

use dsee_core::config::RunConfig;
use dsee_core::protocol::{Event, Loaded, Phase, PruneReport, RunEvent, RunId, RunSummary, StepReport};
use dsee_core::report::RunReport;

use crate::shell::SavedRun;

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

impl Activity {
    /// Whether the engine still has work to do, or waits in the middle of it.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }
}

/// One run.
#[derive(Clone, Debug, Default)]
pub struct RunView {
    /// What it is doing.
    pub activity: Activity,
    /// Everything it told, as its report will show it.
    pub report: RunReport,
    /// Its settings, checked; absent for a run of earlier that is gone on with.
    pub config: Option<RunConfig>,
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
    /// Steps planned for the phase under way; 0 for phases without steps.
    pub planned_steps: usize,
    /// What pruning did.
    pub pruned: Option<PruneReport>,
    /// The end.
    pub summary: Option<RunSummary>,
    /// Steps of the newest checkpoint that was saved.
    pub saved_step: Option<usize>,
    /// Whether the user ended it and threw away what was trained.
    pub discarded: bool,
}

impl RunView {
    /// A run that is about to begin.
    #[must_use]
    pub fn begin(config: &RunConfig) -> Self {
        Self { report: RunReport::begin(config), config: Some(config.clone()), ..Self::default() }
    }

    /// A run of earlier that is about to go on.
    #[must_use]
    pub fn resume(saved: &SavedRun) -> Self {
        let steps_before = saved.report.phases.last().map_or(0, |phase| phase.first_step as usize);
        Self { report: saved.report.clone(), steps_before, saved_step: Some(saved.step), ..Self::default() }
    }

    /// Optimizer steps of the whole run so far.
    #[must_use]
    pub fn step(&self) -> usize {
        self.report.phases.last().map_or(0, |phase| phase.last_step as usize)
    }

    /// Whether closing the window now would lose something that was trained.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        !self.discarded && self.step() > self.saved_step.unwrap_or(0)
    }

    /// Takes note of an event, if it is about the run called `id`.
    pub fn apply(&mut self, id: RunId, event: &Event) {
        match event {
            Event::Run { run, event } if *run == id => self.note(event),
            Event::Paused { run, .. } if *run == id => self.activity = Activity::Paused,
            Event::Resumed { run } if *run == id => self.activity = Activity::Running,
            Event::Stopped { run, kept, .. } if *run == id => {
                self.activity = Activity::Stopped;
                self.discarded = !kept;
            }
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
            RunEvent::PhaseStarted { phase, planned_steps } => {
                self.steps_before = self.report.phases.last().map_or(0, |phase| phase.first_step as usize);
                self.planned_steps = *planned_steps;
                self.phase = Some(*phase);
            }
            RunEvent::Progress(report) => {
                self.steps.push((self.steps_before + report.step, report.clone()));
                self.newest = Some(report.clone());
                // A run that was gone on with may tell of a step before it tells of its phase.
                self.phase = Some(report.phase);
                self.planned_steps = report.total_steps;
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
