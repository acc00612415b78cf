//! BitFit (Ben Zaken et al. 2022, arXiv 2106.10199): every bias is trained, layer norms' included, and the task head.

use crate::nn::outline::Outline;
use crate::nn::plan::TuningPlan;

/// Trains the parameters that are biases, besides `head`.
#[must_use]
pub fn plan(model: &Outline, head: TuningPlan) -> TuningPlan {
    let biases = model.names(|_| true).filter(|name| name.ends_with(".bias"));
    TuningPlan { trained: head.trained.into_iter().chain(biases).collect(), ..TuningPlan::default() }
}
