//! What may be asked of a run while it is under way.

use super::{Run, Work};
use crate::config::Pruning;
use crate::engine::checkpoint::Stage;
use crate::engine::error::EngineError;
use crate::protocol::RunEvent;
use crate::train::place::HostState;

/// What was asked of the phase under way, until it is done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub evaluation: bool,
    pub end: bool,
}

impl Run {
    /// Evaluates before the next step, whatever the strategy says. False if there is nothing trained to evaluate: the
    /// run is before its first phase, or over.
    pub fn evaluate_soon(&mut self) -> bool {
        // Pruning and the last stage evaluate anyway, and one of them follows what is measured after tuning.
        let between =
            self.is_leaving_tuning() || matches!(self.position.stage, Stage::Prune | Stage::Evaluate);
        self.asked.evaluation = matches!(self.position.stage, Stage::Tune | Stage::Retune) && !between;
        self.asked.evaluation || between
    }

    /// Ends the tuning phase before its next step and goes on with pruning. False if the run is not tuning, or the
    /// settings prune nothing.
    pub fn prune_soon(&mut self) -> bool {
        let is_tuning = self.position.stage == Stage::Tune && self.config.prune != Pruning::None;
        self.asked.end = is_tuning && !self.is_leaving_tuning();
        is_tuning
    }

    /// The figures of the steps that no report has shown yet.
    ///
    /// # Errors
    /// Errors of the device, or a loss that is not finite.
    pub async fn report_now(&mut self) -> Result<Option<RunEvent>, EngineError> {
        let Work::Tuning(work) = &mut self.work else { return Ok(None) };
        work.1.read_metrics().await?;
        let report = work.1.report(&self.config, self.device.allocated_bytes());
        Ok(report.map(RunEvent::Progress))
    }

    /// What is trained and removed up to now, inside a phase as well.
    ///
    /// # Errors
    /// Errors of the device.
    pub async fn present_state(&self) -> Result<HostState, EngineError> {
        let mut state = self.state.clone();
        if let Work::Tuning(work) = &self.work
            && !self.is_leaving_tuning()
        {
            work.0.read_into(&mut state).await?;
        }
        Ok(state)
    }
}
