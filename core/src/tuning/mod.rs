//! Tuning methods: what they train at which site, and what they leave behind.

pub mod bitfit;
pub mod criterion;
pub mod dsee;
pub mod full;
pub mod initial;
pub mod lora;
pub mod masks;
pub mod scores;
pub mod shrink;
pub mod state;

use crate::config::{Method, RunConfig};
use crate::nn::plan::TuningPlan;
use crate::nn::site::{Role, Site};
use lora::LoraSettings;

/// What the settings ask to train, from the sites of a model and the names of its parameters.
#[must_use]
pub fn plan(config: &RunConfig, sites: &[Site], parameters: &[String]) -> TuningPlan {
    let settings = LoraSettings { rank: config.rank, alpha: config.alpha };
    let targets = &config.target_modules;
    match config.method {
        Method::Full => full::plan(parameters),
        Method::Bitfit => bitfit::plan(parameters, head(sites)),
        Method::Lora => lora::plan(settings, targets, sites, head(sites)),
        Method::Dsee => dsee::plan(settings, config.nnz, targets, sites, head(sites)),
    }
}

/// Trains the task head and nothing else.
fn head(sites: &[Site]) -> TuningPlan {
    let heads = sites.iter().filter(|site| site.role == Role::Head);
    let trained = heads.flat_map(|site| [site.weight_name(), site.bias_name()]).collect();
    TuningPlan { trained, ..TuningPlan::default() }
}
