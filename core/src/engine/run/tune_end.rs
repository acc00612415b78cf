//! The end of a tuning phase: the best state is taken over, and after stage 1 what S contributes is measured.

use super::{Run, Work};
use crate::config::Pruning;
use crate::engine::checkpoint::Stage;
use crate::engine::error::EngineError;
use crate::engine::phase_row::phase_row;
use crate::metrics::MetricSet;
use crate::nn::parameters::ArenaPart;
use crate::protocol::{CheckpointReason, Phase, PhaseRow, RunEvent};
use crate::train::place::HostState;
use crate::tuning::prefix;

impl Run {
    /// Whether S has been left out to measure the low-rank part alone. What was tuned is on the host then.
    pub(super) fn is_leaving_tuning(&self) -> bool {
        self.phase().is_some_and(|phase| phase.low_rank.is_some())
    }

    /// Whether a phase leaves its best state rather than its last. A search is read as it stands at its end.
    fn ends_with_best(&self) -> bool {
        self.config.load_best_model_at_end && !self.plan.is_search()
    }

    /// All steps are done and evaluated: ends the phase, or measures the low-rank part first.
    pub(super) async fn end_tuning(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        let has_sparse = self.state.deltas.iter().any(|delta| !delta.s_indices.is_empty());
        let is_measured = has_sparse && self.position.stage == Stage::Tune;
        if is_measured {
            // Until the measuring is done, a resumed run begins again from here.
            self.snapshot().await?;
        }
        let ends_with_best = self.ends_with_best();
        let Work::Tuning(work) = &mut self.work else { unreachable!("only a phase under way ends") };
        let (placed, phase) = work.as_mut();
        if ends_with_best && let Some(best) = &phase.best_values {
            for (name, tensor) in best {
                placed.parameters.write(ArenaPart::Value, name, &tensor.data);
            }
        }
        placed.read_into(&mut self.state).await?;
        if is_measured {
            phase.drop_sparse(placed, &self.state).await?;
            return Ok(Vec::new());
        }
        let seconds = phase.seconds();
        self.finish_tuning(seconds, None).await
    }

    /// One batch of the evaluation without S; ends the phase after the last one.
    pub(super) async fn advance_low_rank(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        let Work::Tuning(work) = &mut self.work else { unreachable!("only a phase under way ends") };
        let (placed, phase) = work.as_mut();
        if !phase.score_low_rank(placed, &self.validation).await? {
            return Ok(Vec::new());
        }
        let Some(low_rank) = phase.low_rank.take() else { unreachable!("S was left out") };
        let figures = low_rank.scoring.metrics(&self.validation, &self.labels);
        let row = self.low_rank_row(&figures, low_rank.started.elapsed().as_secs_f64());
        self.finish_tuning(low_rank.phase_seconds, Some(row)).await
    }

    /// The figures of the tuned state as if S had never been.
    fn low_rank_row(&self, figures: &MetricSet, seconds: f64) -> PhaseRow {
        let deltas = self.state.deltas.iter().map(|delta| delta.low_rank_part()).collect();
        let state = HostState { deltas, ..self.state.clone() };
        let metric = Some((self.metric(), figures));
        phase_row(&self.base, &state, &self.plan, Phase::LowRankOnly, metric, seconds)
    }

    async fn finish_tuning(
        &mut self,
        seconds: f64,
        low_rank: Option<PhaseRow>,
    ) -> Result<Vec<RunEvent>, EngineError> {
        // The last state is a checkpoint of its own, whatever the phase ends with.
        let last = RunEvent::Checkpoint { step: self.step(), reason: CheckpointReason::PhaseEnd };
        let Work::Tuning(work) = std::mem::replace(&mut self.work, Work::Nothing) else {
            unreachable!("only a phase under way finishes")
        };
        let (placed, phase) = *work;
        drop(placed);
        let best = phase.progress.best.as_ref().map(|(_, figures)| figures.clone());
        let figures = if self.ends_with_best() { best } else { phase.progress.last.clone() };
        self.position.steps_before += phase.progress.step;
        let pruned = self.config.prune != Pruning::None;
        self.position.stage = match self.position.stage {
            Stage::Tune if pruned => Stage::Prune,
            _ => Stage::Evaluate,
        };
        self.position.rows.extend(low_rank.clone());
        let row = self.finish_row(phase.plan.phase, figures.as_ref(), seconds);
        prefix::fold(&mut self.state.trained, &self.base.sites);
        self.make_plan();
        self.snapshot().await?;
        Ok([last].into_iter().chain(low_rank.map(RunEvent::PhaseFinished)).chain([row]).collect())
    }
}
