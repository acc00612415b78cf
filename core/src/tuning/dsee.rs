//! DSEE (Chen et al. 2023, arXiv 2111.00160): LoRA's update plus a few sparse entries, ΔW = s (B A + P_Ω(S)).

use super::lora::{self, LoraSettings};
use crate::nn::plan::TuningPlan;
use crate::nn::site::{Role, Site};

/// Adds an update with `n_nonzero` sparse entries at every site whose role is among `targets`.
#[must_use]
pub fn plan(
    settings: LoraSettings,
    n_nonzero: usize,
    targets: &[Role],
    sites: &[Site],
    head: TuningPlan,
) -> TuningPlan {
    let mut plan = lora::plan(settings, targets, sites, head);
    plan.deltas.values_mut().for_each(|delta| delta.n_nonzero = n_nonzero);
    plan
}
