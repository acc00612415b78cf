//! Full fine-tuning: every pretrained parameter is trained, nothing is added.

use crate::nn::outline::Outline;
use crate::nn::plan::TuningPlan;

/// Trains every parameter of the model.
#[must_use]
pub fn plan(model: &Outline) -> TuningPlan {
    TuningPlan { trained: model.names(|_| true).collect(), ..TuningPlan::default() }
}
