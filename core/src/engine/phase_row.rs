//! The figures of a phase: trainable parameters, non-zero weights and FLOPs, counted as `dsee-method` 1.4, 3.2 and 3.4.

use super::base_model::BaseModel;
use crate::accounting::{ForwardPlan, SparsityLedger, forward_cost};
use crate::checkpoint::weights::StoredTensor;
use crate::metrics::{Metric, MetricSet};
use crate::nn::plan::TuningPlan;
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
            feed_forward_kept: 1.0,
            unmerged: unmerged.then_some((rank, sites_per_layer)),
        },
    );
    PhaseRow {
        phase,
        metric_name: metric.map_or(String::new(), |(metric, _)| metric.name().to_owned()),
        metric: metric.and_then(|(metric, figures)| figures.get(metric)),
        trainable_parameters: n_trainable(base, state, plan),
        non_zero_weights: shape.n_parameters(heads) - n_masked + if unmerged { n_update } else { 0 },
        total_weights: shape.n_parameters(&std::collections::BTreeMap::new()),
        flops_linear: cost.linear_flops() as u64,
        flops_with_attention: cost.flops() as u64,
        seconds,
    }
}

/// Trained numbers without the head: updates after head removal, and parameters trained themselves.
pub fn n_trainable(base: &BaseModel, state: &HostState, plan: &TuningPlan) -> usize {
    let removed = |delta: &&crate::tuning::state::SiteDelta| {
        let site = base.sites.iter().find(|site| site.path == delta.path)?;
        Some(state.pruned.heads.get(&site.layer?)?.len() * base.heads().head_size * delta.rank)
    };
    let updates = state.deltas.iter().map(|delta| delta.n_trainable() - removed(&delta).unwrap_or(0));
    let is_head = |name: &&String| {
        base.sites.iter().any(|site| {
            site.role == crate::nn::site::Role::Head && [site.weight_name(), site.bias_name()].contains(name)
        })
    };
    let whole = plan.trained.iter().filter(|name| !is_head(name));
    let n_whole: usize =
        whole.map(|name| base.parameters.0.get(name).map_or(0, StoredTensor::n_values)).sum();
    updates.sum::<usize>() + n_whole
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
