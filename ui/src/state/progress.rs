//! How far a run is, in words and numbers.

use dsee_core::{
    config::{Pruning, RunConfig},
    protocol::Phase,
};

use super::{Activity, RunView};

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// What it is doing: `Tuning`.
    pub doing: &'static str,
    /// Optimizer steps of the whole run so far.
    pub step: usize,
    /// Optimizer steps of the whole run; 0 while nobody knows.
    pub n_steps: usize,
    /// Expected seconds until the end, once steps were measured.
    pub seconds_left: Option<f64>,
}

impl Progress {
    /// How much is done, in [0, 1].
    #[must_use]
    pub fn share(&self) -> f32 {
        if self.n_steps == 0 { 0.0 } else { (self.step as f32 / self.n_steps as f32).clamp(0.0, 1.0) }
    }
}

/// What goes on in a phase, as one word for people.
#[must_use]
pub fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::SelectOmega => "Choosing Ω",
        Phase::Tune => "Tuning",
        Phase::Prune => "Pruning",
        Phase::Retune => "Retuning",
        Phase::Evaluate | Phase::LowRankOnly => "Evaluating",
    }
}

impl RunView {
    /// How far the run is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let step = self.step();
        let planned = self.steps_before + self.planned_steps + self.steps_after();
        let n_steps = match self.activity {
            Activity::Finished => step,
            // Phases without steps plan nothing, so the plan of the phase before them stands in.
            _ => planned.max(self.known_steps()).max(step),
        };
        Progress { doing: self.doing(), step, n_steps, seconds_left: self.seconds_left(step, n_steps) }
    }

    /// What it is doing, as one word for people.
    #[must_use]
    pub fn doing(&self) -> &'static str {
        match self.activity {
            Activity::Starting => "Starting",
            Activity::Running => self.phase.map_or("Starting", doing),
            Activity::Paused => "Paused",
            Activity::Finished => "Finished",
            Activity::Stopped if self.discarded => "Discarded",
            Activity::Stopped => "Stopped",
            Activity::Failed => "Failed",
        }
    }

    /// Steps of the phases after the one under way, from the settings.
    fn steps_after(&self) -> usize {
        let Some(config) = self.config.as_ref().filter(|_| self.phase == Some(Phase::Tune)) else {
            return 0;
        };
        retune_steps(config, self.planned_steps)
    }

    /// Steps of the whole run while a phase without steps is under way.
    fn known_steps(&self) -> usize {
        let between = matches!(self.phase, Some(Phase::Prune)) && self.planned_steps == 0;
        match &self.config {
            Some(config) if between => self.step() + retune_steps(config, self.step()),
            _ => 0,
        }
    }

    fn seconds_left(&self, step: usize, n_steps: usize) -> Option<f64> {
        if !self.activity.is_under_way() {
            return None;
        }
        let newest = self.newest.as_ref()?;
        let in_phase = step.saturating_sub(self.steps_before).min(newest.step);
        if in_phase == 0 {
            return None;
        }
        let later = n_steps.saturating_sub(self.steps_before + newest.total_steps) as f64;
        Some(newest.remaining_seconds + later * newest.elapsed_seconds / newest.step as f64)
    }
}

/// Steps of retuning, where tuning takes `tune_steps`.
fn retune_steps(config: &RunConfig, tune_steps: usize) -> usize {
    if config.prune == Pruning::None || config.retune_epochs == 0.0 {
        return 0;
    }
    match config.max_steps {
        Some(_) => tune_steps,
        None => (tune_steps as f64 * config.retune_epochs / config.num_train_epochs).round() as usize,
    }
}
