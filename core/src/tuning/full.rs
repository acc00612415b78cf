//! Full fine-tuning: every pretrained parameter is trained, nothing is added.

use crate::nn::plan::TuningPlan;

/// Trains every parameter of the model.
#[must_use]
pub fn plan(parameters: &[String]) -> TuningPlan {
    TuningPlan { trained: parameters.iter().cloned().collect(), ..TuningPlan::default() }
}
