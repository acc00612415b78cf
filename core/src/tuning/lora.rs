//! LoRA (Hu et al. 2022, arXiv 2106.09685): a low-rank update beside frozen weights, and the task head.

use crate::nn::plan::{DeltaPlan, TuningPlan};
use crate::nn::site::{Role, Site};

/// Rank and scale of the updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoraSettings {
    /// Rank R.
    pub rank: usize,
    /// The update is scaled by alpha / R.
    pub alpha: f64,
}

/// Adds an update at every site whose role is among `targets`, besides training `head`.
#[must_use]
pub fn plan(settings: LoraSettings, targets: &[Role], sites: &[Site], head: TuningPlan) -> TuningPlan {
    let scale = (settings.alpha / settings.rank as f64) as f32;
    let delta = DeltaPlan { rank: settings.rank, n_nonzero: 0, scale };
    let chosen = sites.iter().filter(|site| targets.contains(&site.role));
    TuningPlan { deltas: chosen.map(|site| (site.path.clone(), delta)).collect(), ..head }
}
