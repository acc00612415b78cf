//! P-tuning v2 (Liu et al. 2022, arXiv 2110.07602; `dsee-method` 5.2): P trained vectors before the keys and the values of
//! every layer, and the task head; the encoder is frozen. The first values are those of the released code.

use crate::nn::added::prefix_name;
use crate::nn::outline::Outline;
use crate::nn::plan::{AddedPlan, FirstValues, TuningPlan};
use crate::nn::site::{Role, Site};

/// Share of the table that is dropped while training.
const DROPOUT: f64 = 0.1;

/// The maps whose outputs have prefixes.
pub(super) fn prefixed(sites: &[Site]) -> impl Iterator<Item = &Site> {
    sites.iter().filter(|site| matches!(site.role, Role::Key | Role::Value))
}

/// The prefixes as a table of `length` rows, one part per site.
pub(super) fn table(length: usize, sites: &[Site]) -> impl Iterator<Item = (String, AddedPlan)> {
    let part =
        move |site: &Site| AddedPlan { shape: vec![length, site.d_out], first: FirstValues::Normal(1.0) };
    prefixed(sites).map(move |site| (prefix_name(&site.path), part(site)))
}

/// Adds prefixes of `length` rows, besides training `head`. `dropout` is the rate of the whole run, if it has one.
#[must_use]
pub fn plan(length: usize, dropout: Option<f64>, model: &Outline, head: TuningPlan) -> TuningPlan {
    let prefix_dropout = dropout.unwrap_or(DROPOUT) as f32;
    TuningPlan { added: table(length, &model.sites).collect(), prefix_dropout, ..head }
}
