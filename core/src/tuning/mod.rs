//! Tuning methods: what they train at which site, and what they leave behind.

pub mod adapters;
pub mod bert_tickets;
pub mod bitfit;
pub mod criterion;
pub mod dsee;
pub mod earlybert;
pub mod ft_top2;
pub mod full;
pub mod initial;
pub mod lora;
pub mod masks;
pub mod p_tuning;
pub mod prefix;
pub mod scores;
pub mod shrink;
pub mod state;

use crate::config::{Method, Pruning, RunConfig};
use crate::nn::outline::{Outline, Place};
use crate::nn::plan::TuningPlan;
use lora::LoraSettings;
use prefix::PrefixSettings;

/// What the settings ask to train in a model; with `is_tuned`, in stage 3, after the stages before it have left what they
/// leave.
#[must_use]
pub fn plan(config: &RunConfig, model: &Outline, is_tuned: bool) -> TuningPlan {
    let settings = LoraSettings { rank: config.rank, alpha: config.alpha };
    let (targets, sites, head) = (&config.target_modules, &model.sites, head(model));
    let prefix = PrefixSettings { length: config.prefix_length, hidden_size: config.prefix_hidden_size };
    match config.method {
        Method::Full | Method::BertTickets => full::plan(model),
        Method::FtTop2 => ft_top2::plan(model),
        Method::Bitfit => bitfit::plan(model, head),
        Method::Lora => lora::plan(settings, targets, sites, head),
        Method::Dsee => dsee::plan(settings, config.nnz, targets, sites, head),
        Method::Adapters => adapters::plan(config.bottleneck_size, model, head),
        Method::PTuning => p_tuning::plan(prefix.length, config.dropout, model, head),
        Method::Prefix => prefix::plan(prefix, is_tuned, model, head),
        Method::EarlyBert if is_tuned => full::plan(model),
        Method::EarlyBert => earlybert::plan(config.gradient_accumulation_steps, model),
    }
}

/// Phases of optimizer steps: how often a run tunes, and how often it retunes.
#[must_use]
pub fn n_phases(config: &RunConfig) -> (usize, usize) {
    match (config.method, config.prune) {
        // What it draws is trained anew in any case, and what it removes without being told depends on the model.
        (Method::EarlyBert, _) => (1, 1),
        (_, Pruning::None) => (1, 0),
        (Method::BertTickets, Pruning::Unstructured { sparsity }) => (bert_tickets::n_rounds(sparsity), 1),
        _ => (1, usize::from(config.retune_epochs > 0.0)),
    }
}

/// Optimizer steps after which tuning on `n_train` examples ends, however many it was given; `None` for methods that
/// search nothing.
#[must_use]
pub fn search_steps(config: &RunConfig, n_train: usize) -> Option<usize> {
    let n_batches = n_train.div_ceil(config.per_device_train_batch_size);
    let of_search = || earlybert::search_steps(n_batches, config.gradient_accumulation_steps);
    (config.method == Method::EarlyBert).then(of_search)
}

/// Trains the task head and nothing else.
fn head(model: &Outline) -> TuningPlan {
    let trained = model.names(|place| place == Place::Head).collect();
    TuningPlan { trained, ..TuningPlan::default() }
}
