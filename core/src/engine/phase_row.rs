//! The figures of a phase: trainable parameters, non-zero weights and FLOPs, counted as `dsee-method` 1.4, 3.2 and 3.4.

use super::base_model::BaseModel;
use crate::accounting::{ForwardPlan, SparsityLedger, feed_forward_kept, forward_cost};
use crate::checkpoint::weights::StoredTensor;
use crate::metrics::{Metric, MetricSet};
use crate::nn::added::PREFIX;
use crate::nn::head_layout::HeadAxis;
use crate::nn::outline::Place;
use crate::nn::plan::TuningPlan;
use crate::nn::site::Site;
use crate::protocol::{MatrixSparsity, Phase, PhaseRow};
use crate::train::place::HostState;

/// Tokens of the sequence that FLOPs are counted for.
const FLOP_TOKENS: usize = 128;

/// Counts the state after a phase.
pub fn phase_row(
    base: &BaseModel,
    state: &HostState,
    plan: &TuningPlan,
    phase: Phase,
    metric: Option<(Metric, &MetricSet)>,
    seconds: f64,
) -> PhaseRow {
    let shape = base.shape();
    let heads = &state.pruned.heads;
    let n_masked: usize = state.pruned.masks.values().map(|mask| mask.len - mask.count_kept()).sum();
    let n_update: usize = state.deltas.iter().map(|delta| delta.n_trainable()).sum();
    let is_added = |name: &String| !base.parameters.0.contains_key(name);
    let n_added: usize =
        state.trained.iter().filter(|(name, _)| is_added(name)).map(|(_, tensor)| tensor.data.len()).sum();
    // Heads are removed for good and the update can be merged; under masks it stays beside the weights, because
    // merging would fill the zeros again.
    let unmerged = n_masked > 0 && !state.deltas.is_empty();
    let sites_per_layer = state.deltas.len().div_ceil(shape.num_hidden_layers);
    let rank = state.deltas.first().map_or(0, |delta| delta.rank);
    let cost = forward_cost(
        &shape,
        &ForwardPlan {
            n_tokens: FLOP_TOKENS,
            heads,
            feed_forward_kept: feed_forward_kept(&base.sites, &state.pruned),
            unmerged: unmerged.then_some((rank, sites_per_layer)),
        },
    );
    PhaseRow {
        phase,
        metric_name: metric.map_or(String::new(), |(metric, _)| metric.name().to_owned()),
        metric: metric.and_then(|(metric, figures)| figures.get(metric)),
        trainable_parameters: n_trainable(base, state, plan),
        non_zero_weights: shape.n_parameters(heads) - n_masked
            + n_added
            + if unmerged { n_update } else { 0 },
        total_weights: shape.n_parameters(&std::collections::BTreeMap::new()),
        flops_linear: cost.linear_flops() as u64,
        flops_with_attention: cost.flops() as u64,
        seconds,
    }
}

/// Trained numbers without the head: updates, parameters that are trained themselves, and those the method adds, all
/// without what pruning removed.
pub fn n_trainable(base: &BaseModel, state: &HostState, plan: &TuningPlan) -> usize {
    let head: Vec<String> = base.outline().names(|place| place == Place::Head).collect();
    let updates = state.deltas.iter().map(|delta| {
        let site = base.sites.iter().find(|site| site.path == delta.path);
        delta.n_trainable() - site.map_or(0, |site| n_removed(base, state, site) * delta.rank)
    });
    let whole = plan.trained.iter().filter(|name| !head.contains(name)).map(|name| {
        let n_values = base.parameters.0.get(name).map_or(0, StoredTensor::n_values);
        n_values - n_gone(base, state, name, n_values)
    });
    let added = plan.added.iter().map(|(name, added)| {
        let n_values = added.n_values();
        n_values - n_gone(base, state, name, n_values)
    });
    updates.sum::<usize>() + whole.sum::<usize>() + added.sum::<usize>()
}

/// Rows, or columns, of a site that belong to removed heads.
fn n_removed(base: &BaseModel, state: &HostState, site: &Site) -> usize {
    let removed = site.layer.and_then(|layer| state.pruned.heads.get(&layer)).map_or(0, Vec::len);
    if site.role.is_attention() { removed * base.heads().head_size } else { 0 }
}

/// How many of a parameter's `n_values` are masked or belong to removed heads.
fn n_gone(base: &BaseModel, state: &HostState, name: &str, n_values: usize) -> usize {
    if let Some(mask) = state.pruned.masks.get(name) {
        return mask.len - mask.count_kept();
    }
    let path = name.rsplit_once('.').map_or(name, |(path, _)| path);
    let site = base.sites.iter().find(|site| site.path == path);
    let Some((site, axis)) = site.and_then(|site| Some((site, HeadAxis::of_parameter(site.role, name)?)))
    else {
        return 0;
    };
    let removed = n_removed(base, state, site);
    match axis {
        HeadAxis::Entries => removed / base.heads().head_size,
        HeadAxis::Columns if !name.ends_with(PREFIX) => n_values / site.d_in * removed,
        HeadAxis::Rows | HeadAxis::Columns => n_values / site.d_out * removed,
    }
}

/// Zeros of every prunable weight.
pub fn matrices(base: &BaseModel, state: &HostState) -> Vec<MatrixSparsity> {
    let ledger = SparsityLedger::new(&base.sites, &state.pruned, base.heads().n_heads);
    let row = |row: crate::accounting::LedgerRow| MatrixSparsity {
        name: row.name,
        n_entries: row.size,
        n_zeros: row.zeros,
    };
    ledger.rows.into_iter().map(row).collect()
}
