//! A tuned model at rest: evaluation and prediction without a run.

use super::base_model::BaseModel;
use super::corpus::Corpus;
use super::error::EngineError;
use super::placed::Placed;
use super::scorer::{EVALUATION_TOKENS, Scorer, Scoring};
use super::writer::tuned_plan;
use crate::data::LabelSet;
use crate::gpu::Device;
use crate::metrics::MetricSet;
use crate::train::place::HostState;

/// A model on the device with a data set to run it on.
pub struct Session {
    placed: Placed,
    scorer: Scorer,
    scoring: Scoring,
    dataset: Corpus,
}

impl Session {
    /// Places the model with what was trained and removed.
    ///
    /// # Errors
    /// Memory errors of the device, or a kernel the driver refuses.
    pub async fn new(
        device: &Device,
        base: &BaseModel,
        state: &HostState,
        dataset: impl Into<Corpus>,
        max_sequences: usize,
    ) -> Result<Self, EngineError> {
        let dataset = dataset.into();
        let capacity = dataset.evaluation_sizes(EVALUATION_TOKENS, max_sequences);
        let plan = tuned_plan(state);
        let placed = Placed::new(device, base, state, &plan, None, capacity).await?;
        let scorer = Scorer::new(&placed, &dataset).await?;
        Ok(Self { placed, scorer, scoring: Scoring::default(), dataset })
    }

    /// Runs the next batch; true when all examples are done.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn advance(&mut self) -> Result<bool, EngineError> {
        self.scorer.advance(&self.placed, &self.dataset, &mut self.scoring).await
    }

    /// Logits so far, (B, N), in the order of the data set; of words their losses, (P).
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        self.scoring.outputs()
    }

    /// The figures, once all examples are done.
    #[must_use]
    pub fn metrics(&self, labels: &LabelSet) -> MetricSet {
        self.scoring.metrics(&self.dataset, labels)
    }
}
