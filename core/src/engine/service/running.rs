//! The run under way: what it tells, what is kept of its phases, and how it ends.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::data::LoadedData;
use super::model::LoadedModel;
use super::refusal::failure;
use super::{Engine, Host, say, say_with};
use crate::clock::Instant;
use crate::config::RunConfig;
use crate::data::RunData;
use crate::engine::{EngineError, Run, RunCheckpoint};
use crate::protocol::{Event, FailureKind, FailureReport, Phase, RunEvent, RunId, Variant};
use crate::train::place::HostState;

/// Seconds of training after which the state is handed out for saving.
const AUTOSAVE_SECONDS: f64 = 30.0;

/// A run with everything that questions about it need.
pub struct CurrentRun {
    /// Its name.
    pub id: RunId,
    /// The run.
    pub run: Run,
    /// Its settings.
    pub config: RunConfig,
    /// Whether it goes on.
    pub mode: Mode,
    /// The model it began with.
    pub model: Rc<LoadedModel>,
    /// The files its data came from.
    pub files: Rc<LoadedData>,
    /// Its data.
    pub data: Rc<RunData>,
    /// The state after each of its phases, and at its end if the user stopped it.
    pub states: BTreeMap<Variant, Rc<HostState>>,
    /// When its state was last handed out.
    pub saved_at: Instant,
}

/// What a run does while nobody asks anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It goes on.
    Running,
    /// It goes on until something is reached, and waits then.
    Until(Goal),
    /// It waits.
    Waiting,
    /// It is finished, stopped, or broken.
    Over,
}

/// What a waiting run is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// That many optimizer steps are done.
    Step(usize),
    /// The validation data were evaluated.
    Evaluated,
    /// The model was pruned.
    Pruned,
}

impl CurrentRun {
    /// Whether there is work to do.
    pub fn is_busy(&self) -> bool {
        matches!(self.mode, Mode::Running | Mode::Until(_))
    }

    /// Whether it is neither finished nor stopped.
    pub fn is_active(&self) -> bool {
        self.mode != Mode::Over
    }

    /// Hands events on and keeps what is asked for later.
    pub fn note(&mut self, events: Vec<RunEvent>, host: &mut impl Host) {
        let mut is_due = false;
        for event in &events {
            if let RunEvent::PhaseFinished(row) = event {
                self.keep_phase(row.phase);
            }
            is_due |= matches!(event, RunEvent::Checkpoint { .. });
            say(host, Event::Run { run: self.id, event: event.clone() });
        }
        if is_due {
            let checkpoint = self.run.last_checkpoint().clone();
            self.hand_out(&checkpoint, host);
        }
        self.reach_goal(&events, host);
        if self.run.is_finished() {
            self.mode = Mode::Over;
        }
    }

    fn keep_phase(&mut self, phase: Phase) {
        let variant = match phase {
            Phase::Tune => Variant::Tuned,
            Phase::Prune => Variant::Pruned,
            Phase::Retune => Variant::Retuned,
            Phase::SelectOmega | Phase::LowRankOnly | Phase::Evaluate => return,
        };
        self.states.insert(variant, Rc::new(self.run.outcome().1.clone()));
    }

    fn reach_goal(&mut self, events: &[RunEvent], host: &mut impl Host) {
        let Mode::Until(goal) = self.mode else { return };
        let is_reached = match goal {
            Goal::Step(step) => self.run.step() >= step,
            Goal::Evaluated => events.iter().any(|event| matches!(event, RunEvent::Evaluated(_))),
            Goal::Pruned => events.iter().any(|event| matches!(event, RunEvent::Pruned(_))),
        };
        if is_reached {
            self.mode = Mode::Waiting;
            if let Goal::Step(_) = goal {
                say(host, Event::Paused { run: self.id, step: self.run.step() });
            }
        }
    }

    /// Hands a checkpoint out for saving.
    pub fn hand_out(&mut self, checkpoint: &RunCheckpoint, host: &mut impl Host) {
        let event = Event::CheckpointSaved { run: self.id, step: checkpoint.step() };
        say_with(host, event, checkpoint.to_files());
        self.saved_at = crate::clock::now();
    }

    /// Does the next piece of work.
    async fn advance(&mut self, host: &mut impl Host) -> Result<(), EngineError> {
        let mut events = self.run.advance().await?;
        if matches!(self.mode, Mode::Until(Goal::Step(step)) if self.run.step() >= step) {
            // Who goes step by step wants to see every one.
            events.extend(self.run.report_now().await?);
        }
        self.note(events, host);
        let is_due = self.saved_at.elapsed().as_secs_f64() > AUTOSAVE_SECONDS;
        if is_due && self.is_busy() && self.run.is_in_phase() {
            let checkpoint = self.run.checkpoint().await?;
            self.hand_out(&checkpoint, host);
        }
        Ok(())
    }
}

impl Engine {
    /// One piece of the run under way.
    pub(super) async fn advance(&mut self, host: &mut impl Host) {
        let Some(current) = &mut self.current else { return };
        if let Err(error) = current.advance(host).await {
            let report = current.break_off(&error, host);
            self.forget_lost_device(&report);
            say(host, Event::Failed(report));
        }
    }

    /// The next command that needs a device opens a new one.
    pub(super) fn forget_lost_device(&mut self, report: &FailureReport) {
        if report.kind == FailureKind::DeviceLost {
            self.device = None;
        }
    }
}

impl CurrentRun {
    /// Ends a broken run; its last good state is handed out first.
    pub(super) fn break_off(&mut self, error: &EngineError, host: &mut impl Host) -> FailureReport {
        let checkpoint = self.run.last_checkpoint().clone();
        // Before the first phase there is nothing worth saving.
        let last_good = (checkpoint != RunCheckpoint::default()).then(|| checkpoint.step());
        if last_good.is_some() {
            self.hand_out(&checkpoint, host);
        }
        self.mode = Mode::Over;
        self.run.release();
        failure(error, Some(self.id), last_good)
    }
}
