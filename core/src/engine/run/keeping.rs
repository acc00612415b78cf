//! Copies of a run's state on the host: what survives the device, and what checkpoints are made of.

use std::collections::BTreeMap;

use super::{Run, Work};
use crate::engine::checkpoint::{Position, RunCheckpoint};
use crate::engine::error::EngineError;
use crate::engine::tuning_phase::PhaseProgress;
use crate::gpu::GpuError;

/// Seconds after which the trained state is copied to the host, in case the device goes away.
const SNAPSHOT_SECONDS: f64 = 30.0;

impl Run {
    pub(super) fn is_snapshot_due(&self) -> bool {
        self.safe_since.elapsed().as_secs_f64() > SNAPSHOT_SECONDS
    }

    /// Copies the state to the host, so that it survives the device.
    pub(super) async fn snapshot(&mut self) -> Result<(), EngineError> {
        let mut position = Position { seconds_before: self.seconds(), ..self.position.clone() };
        let mut tensors = BTreeMap::new();
        if let Work::Tuning(work) = &mut self.work {
            let (placed, phase) = work.as_mut();
            phase.read_metrics().await?;
            let progress = PhaseProgress {
                seconds_before: phase.seconds(),
                evaluating: phase.scoring.is_some(),
                ..phase.progress.clone()
            };
            position.phase = Some(progress);
            let kinds = phase.tensors(placed).await?;
            tensors = kinds.into_iter().map(|(kind, named)| (kind.to_owned(), named)).collect();
        }
        let (state, tuned) = (self.state.clone(), self.tuned.clone());
        self.safe = RunCheckpoint { position, state, tuned, phase: tensors };
        self.safe_since = crate::clock::now();
        Ok(())
    }

    /// Everything needed to go on later: the present state, or the last one that was copied if the device is gone.
    ///
    /// # Errors
    /// Errors of the device other than its loss.
    pub async fn checkpoint(&mut self) -> Result<RunCheckpoint, EngineError> {
        if matches!(self.work, Work::Scoring(_)) || self.is_leaving_tuning() {
            // These evaluations are done again as a whole, as is pruning: what was saved before them is the better start.
            return Ok(self.safe.clone());
        }
        match self.snapshot().await {
            Ok(()) | Err(EngineError::Gpu(GpuError::DeviceLost { .. }) | EngineError::NotFinite { .. }) => {
                Ok(self.safe.clone())
            }
            Err(error) => Err(error),
        }
    }

    /// The state after the last event, as [`RunEvent::Checkpoint`] asks to save it.
    #[must_use]
    pub fn last_checkpoint(&self) -> &RunCheckpoint {
        &self.safe
    }
}
