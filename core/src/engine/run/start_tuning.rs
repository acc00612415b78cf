//! The beginning of a phase of optimizer steps: its plan, memory for it, and the state it begins with.

use super::{Run, Work};
use crate::engine::checkpoint::{Position, RunCheckpoint, Stage};
use crate::engine::error::EngineError;
use crate::engine::phase_plan::PhasePlan;
use crate::engine::placed::Placed;
use crate::engine::tuning_phase::TuningPhase;
use crate::gpu::Sizes;
use crate::protocol::{Phase, RunEvent};
use crate::train::step::refresh_weights;
use crate::tuning::search_steps;

impl Run {
    pub(super) fn capacity(&self, plan: &PhasePlan) -> Sizes {
        let n_epochs = plan.n_epochs(self.config.gradient_accumulation_steps);
        let training = self.train.training_sizes(&plan.order, n_epochs);
        // Evaluation fills the same memory: at least its longest text must fit.
        let evaluation = self.validation.evaluation_sizes(1, self.config.per_device_eval_batch_size);
        training.max(&evaluation)
    }

    pub(super) async fn place(&self, capacity: Sizes) -> Result<Placed, EngineError> {
        let (base, state, plan) = (&self.base, &self.state, &self.plan);
        Placed::new(&self.device, base, state, plan, self.config.dropout, capacity).await
    }

    pub(super) async fn start_tuning(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        let phase = if self.position.stage == Stage::Tune { Phase::Tune } else { Phase::Retune };
        let mut plan = PhasePlan::new(&self.config, phase, self.position.round, self.train.len());
        if let Some(steps) = search_steps(&self.config, self.train.len()).filter(|_| self.plan.is_search()) {
            plan = plan.cut_short(steps);
        }
        let placed = self.place(self.capacity(&plan)).await?;
        let objective = self.train.objective(&self.labels, self.config.label_smoothing_factor as f32);
        let mut tuning = TuningPhase::new(&placed, plan, &self.config, objective, &self.validation).await?;
        let mut events = Vec::new();
        match self.resumed_phase.take() {
            Some(RunCheckpoint { position: Position { phase: Some(progress), .. }, phase, .. }) => {
                tuning.resume(&placed, progress, phase)?;
                refresh_weights(&self.device, placed.model.as_ref()).await?;
            }
            _ => events.push(RunEvent::PhaseStarted { phase, planned_steps: plan.total_steps }),
        }
        self.work = Work::Tuning(Box::new((placed, tuning)));
        self.snapshot().await?;
        Ok(events)
    }
}
