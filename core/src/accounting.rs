//! What a model and a method cost: parameters, non-zero weights and FLOPs (`dsee-method` 1.4, 3.2 and 3.4).
//!
//! Closed forms over shapes, nothing is loaded or run; the sparsity ledger counts what a run has really removed.

use std::collections::BTreeMap;

use crate::nn::site::{Role, Site};
use crate::tuning::masks::n_removed;
use crate::tuning::state::PrunedState;

/// The sizes that decide how large a transformer encoder (or GPT-2 style decoder) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    /// Rows of the token embedding, V.
    pub vocab_size: usize,
    /// Rows of the position embedding.
    pub max_position_embeddings: usize,
    /// Rows of the segment embedding; 0 where there is none.
    pub type_vocab_size: usize,
    /// Hidden size, C.
    pub hidden_size: usize,
    /// Feed-forward size, F.
    pub intermediate_size: usize,
    /// Layers, L.
    pub num_hidden_layers: usize,
    /// Heads of a layer, H.
    pub num_attention_heads: usize,
    /// Whether a pooler follows the last layer.
    pub has_pooler: bool,
}

impl ModelShape {
    /// Rows of query, key or value per head, D.
    #[must_use]
    pub const fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Embedding tables and the one layer norm outside the layers (after the embeddings in BERT, last in GPT-2).
    #[must_use]
    pub const fn n_embedding_parameters(&self) -> usize {
        (self.vocab_size + self.max_position_embeddings + self.type_vocab_size + 2) * self.hidden_size
    }

    /// One layer with `n_heads` heads left: four attention maps, two feed-forward maps, two layer norms.
    #[must_use]
    pub const fn n_layer_parameters(&self, n_heads: usize) -> usize {
        let (c, f, rows) = (self.hidden_size, self.intermediate_size, n_heads * self.head_size());
        let attention = 3 * (rows * c + rows) + c * rows + c;
        attention + 2 * c * f + f + c + 4 * c
    }

    /// The pooler, 0 without one.
    #[must_use]
    pub const fn n_pooler_parameters(&self) -> usize {
        if self.has_pooler { self.hidden_size * (self.hidden_size + 1) } else { 0 }
    }

    /// All parameters without the task head, after `heads` (layer → removed heads) are gone.
    #[must_use]
    pub fn n_parameters(&self, heads: &BTreeMap<usize, Vec<usize>>) -> usize {
        let layers =
            (0..self.num_hidden_layers).map(|layer| self.n_layer_parameters(self.n_heads_left(heads, layer)));
        self.n_embedding_parameters() + layers.sum::<usize>() + self.n_pooler_parameters()
    }

    fn n_heads_left(&self, heads: &BTreeMap<usize, Vec<usize>>, layer: usize) -> usize {
        self.num_attention_heads - heads.get(&layer).map_or(0, Vec::len)
    }
}

/// Trained numbers of one update: R (d_out + d_in) + K, with `n_rows_removed` rows of a query, key or value, or
/// columns of an attention output, gone.
#[must_use]
pub const fn n_delta_parameters(site: &Site, rank: usize, n_nonzero: usize, n_rows_removed: usize) -> usize {
    rank * (site.d_out + site.d_in - n_rows_removed) + n_nonzero
}

/// Entries of all prunable weights: the sum of both groups of `dsee-method` 3.2, everything but the task head.
#[must_use]
pub fn n_prunable(sites: &[Site]) -> usize {
    sites.iter().filter(|site| site.role != Role::Head).map(Site::n_entries).sum()
}

/// Non-zero parameters of a model of `n_total` after each group of the given sizes lost its share, and so the count
/// that stays the same whichever entries the masks remove.
#[must_use]
pub fn n_nonzero_after(n_total: usize, groups: &[(usize, f64)]) -> usize {
    n_total - groups.iter().map(|&(size, ratio)| n_removed(ratio, size)).sum::<usize>()
}

/// What one forward pass multiplies. 1 MAC = 2 FLOPs.
///
/// Layers only: no embedding, pooler, head, softmax, layer norm or activation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ForwardCost {
    /// Multiply-adds of the linear maps.
    pub linear_macs: f64,
    /// Multiply-adds of Q Kᵀ and of the product with V.
    pub attention_macs: f64,
}

impl ForwardCost {
    /// FLOPs of the linear maps: the first column of the table in `dsee-method` 3.4.
    #[must_use]
    pub fn linear_flops(&self) -> f64 {
        2.0 * self.linear_macs
    }

    /// FLOPs with the attention products: the second column.
    #[must_use]
    pub fn flops(&self) -> f64 {
        2.0 * (self.linear_macs + self.attention_macs)
    }

    /// Share of the linear FLOPs of `dense` that is saved.
    #[must_use]
    pub fn linear_saving(&self, dense: &Self) -> f64 {
        1.0 - self.linear_macs / dense.linear_macs
    }

    /// Share of all FLOPs of `dense` that is saved.
    #[must_use]
    pub fn saving(&self, dense: &Self) -> f64 {
        1.0 - self.flops() / dense.flops()
    }
}

/// What a forward pass is counted for.
#[derive(Clone, Copy, Debug)]
pub struct ForwardPlan<'a> {
    /// Tokens in the sequence, T.
    pub n_tokens: usize,
    /// Layer → removed heads.
    pub heads: &'a BTreeMap<usize, Vec<usize>>,
    /// Share of the feed-forward neurons that is kept, 1 unless a baseline prunes them.
    pub feed_forward_kept: f64,
    /// Rank of an update that stays beside its weight at inference, and how many square sites of a layer carry one.
    pub unmerged: Option<(usize, usize)>,
}

/// Counts one sequence through all layers.
#[must_use]
pub fn forward_cost(shape: &ModelShape, plan: &ForwardPlan<'_>) -> ForwardCost {
    let (c, f, tokens) = (shape.hidden_size as f64, shape.intermediate_size as f64, plan.n_tokens as f64);
    let mut cost = ForwardCost::default();
    for layer in 0..shape.num_hidden_layers {
        let rows = (shape.n_heads_left(plan.heads, layer) * shape.head_size()) as f64;
        let branch = plan.unmerged.map_or(0.0, |(rank, n_sites)| rank as f64 * n_sites as f64 * (c + rows));
        cost.linear_macs += tokens * (4.0 * c * rows + 2.0 * c * f * plan.feed_forward_kept + branch);
        cost.attention_macs += tokens * 2.0 * tokens * rows;
    }
    cost
}

/// Share of the feed-forward neurons whose weights are not all masked, on both sides: what structured baselines keep.
#[must_use]
pub fn feed_forward_kept(sites: &[Site], pruned: &PrunedState) -> f64 {
    let (mut n_neurons, mut n_kept) = (0, 0);
    for up in sites.iter().filter(|site| site.role == Role::FeedForwardUp) {
        n_neurons += up.d_out;
        let down = sites.iter().find(|site| site.role == Role::FeedForwardDown && site.layer == up.layer);
        let masks =
            (pruned.masks.get(&up.weight_name()), down.and_then(|d| pruned.masks.get(&d.weight_name())));
        let (Some(down), (Some(into), Some(out))) = (down, masks) else {
            n_kept += up.d_out;
            continue;
        };
        let is_kept = |neuron: &usize| {
            (0..up.d_in).any(|column| into.get(neuron * up.d_in + column))
                || (0..down.d_out).any(|row| out.get(row * down.d_in + neuron))
        };
        n_kept += (0..up.d_out).filter(is_kept).count();
    }
    if n_neurons == 0 { 1.0 } else { n_kept as f64 / n_neurons as f64 }
}

/// One weight in the sparsity ledger, at its full size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// Parameter name.
    pub name: String,
    /// Entries of the pretrained weight.
    pub size: usize,
    /// Entries that are masked or belong to removed heads.
    pub zeros: usize,
}

impl LedgerRow {
    /// Share of zeros, the sparsity; 0 for an empty weight.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.size == 0 { 0.0 } else { self.zeros as f64 / self.size as f64 }
    }
}

/// Every prunable weight with what was removed from it, in the order of `sites`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparsityLedger {
    /// One row per weight.
    pub rows: Vec<LedgerRow>,
}

impl SparsityLedger {
    /// Counts the masks and removed heads of `pruned`, in layers of `n_heads` heads.
    #[must_use]
    pub fn new(sites: &[Site], pruned: &PrunedState, n_heads: usize) -> Self {
        let prunable = sites.iter().filter(|site| site.role != Role::Head);
        Self { rows: prunable.map(|site| ledger_row(site, pruned, n_heads)).collect() }
    }

    /// The sum of all rows, named `total`.
    #[must_use]
    pub fn total(&self) -> LedgerRow {
        let sum = |of: fn(&LedgerRow) -> usize| self.rows.iter().map(of).sum();
        LedgerRow { name: "total".into(), size: sum(|row| row.size), zeros: sum(|row| row.zeros) }
    }
}

fn ledger_row(site: &Site, pruned: &PrunedState, n_heads: usize) -> LedgerRow {
    let name = site.weight_name();
    let removed = match site.layer.and_then(|layer| pruned.heads.get(&layer)) {
        Some(heads) if site.role.is_attention() => heads.as_slice(),
        _ => &[],
    };
    // A head takes rows of query, key and value and columns of the output.
    let (rows, columns) = if site.role == Role::AttentionOutput { (1, n_heads) } else { (n_heads, 1) };
    let (head_rows, head_columns) = (site.d_out / rows, site.d_in / columns);
    let in_head = |i: usize| {
        let (row, column) = (i / site.d_in, i % site.d_in);
        removed.contains(&if columns > 1 { column / head_columns } else { row / head_rows })
    };
    let zeros = match pruned.masks.get(&name) {
        Some(mask) if removed.is_empty() => mask.len - mask.count_kept(),
        Some(mask) => (0..mask.len).filter(|&i| !mask.get(i) || in_head(i)).count(),
        None => removed.len() * head_rows * head_columns,
    };
    LedgerRow { name, size: site.n_entries(), zeros }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::masks::groups;
    use crate::tuning::state::Mask;

    const BERT_BASE: ModelShape = ModelShape {
        vocab_size: 30_522,
        max_position_embeddings: 512,
        type_vocab_size: 2,
        hidden_size: 768,
        intermediate_size: 3072,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        has_pooler: true,
    };
    const ROBERTA_LARGE: ModelShape = ModelShape {
        vocab_size: 50_265,
        max_position_embeddings: 514,
        type_vocab_size: 1,
        hidden_size: 1024,
        intermediate_size: 4096,
        num_hidden_layers: 24,
        num_attention_heads: 16,
        has_pooler: false,
    };
    const GPT2_MEDIUM: ModelShape =
        ModelShape { vocab_size: 50_257, max_position_embeddings: 1024, type_vocab_size: 0, ..ROBERTA_LARGE };

    fn no_heads() -> BTreeMap<usize, Vec<usize>> {
        BTreeMap::new()
    }

    fn remove(n: usize) -> BTreeMap<usize, Vec<usize>> {
        (0..12).map(|layer| (layer, (0..n).collect())).collect()
    }

    /// The sites of a model of this shape, with a task head of two classes.
    fn sites(shape: &ModelShape) -> Vec<Site> {
        let (c, f) = (shape.hidden_size, shape.intermediate_size);
        let mut sites = Vec::new();
        let mut push = |layer, role: Role, d_out, d_in| {
            sites.push(Site { path: format!("{layer:?}.{role}"), layer, role, d_out, d_in });
        };
        for layer in (0..shape.num_hidden_layers).map(Some) {
            for role in [Role::Query, Role::Key, Role::Value, Role::AttentionOutput] {
                push(layer, role, c, c);
            }
            push(layer, Role::FeedForwardUp, f, c);
            push(layer, Role::FeedForwardDown, c, f);
        }
        if shape.has_pooler {
            push(None, Role::Pooler, c, c);
        }
        push(None, Role::Head, 2, c);
        sites
    }

    fn n_trainable(
        shape: &ModelShape,
        roles: &[Role],
        rank: usize,
        n_nonzero: usize,
        n_heads_removed: usize,
    ) -> usize {
        let sites = sites(shape);
        let adapted = sites.iter().filter(|site| roles.contains(&site.role));
        let removed = n_heads_removed * shape.head_size();
        adapted.map(|site| n_delta_parameters(site, rank, n_nonzero, removed)).sum()
    }

    const DEFAULT: &[Role] = &[Role::Query, Role::Value];

    /// The table of section 1.4.
    #[test]
    fn trainable_parameters() {
        for (shape, rank, low_rank, with_sparse) in [
            (BERT_BASE, 16, 589_824, 590_208),
            (BERT_BASE, 8, 294_912, 295_296),
            (ROBERTA_LARGE, 8, 786_432, 787_200),
            (ROBERTA_LARGE, 16, 1_572_864, 1_573_632),
            (GPT2_MEDIUM, 4, 393_216, 393_984),
            (GPT2_MEDIUM, 2, 196_608, 197_376),
        ] {
            assert_eq!(n_trainable(&shape, DEFAULT, rank, 0, 0), low_rank);
            assert_eq!(n_trainable(&shape, DEFAULT, rank, 16, 0), with_sparse);
        }
        // Section 1.3: the same budget over one, two or four modules.
        let four = [Role::Query, Role::Key, Role::Value, Role::AttentionOutput];
        assert_eq!(n_trainable(&BERT_BASE, &four[..1], 32, 0, 0), 589_824);
        assert_eq!(n_trainable(&BERT_BASE, &four, 8, 0, 0), 589_824);
    }

    #[test]
    fn total_sizes() {
        let total = |shape: ModelShape| shape.n_parameters(&no_heads());
        assert_eq!(BERT_BASE.n_embedding_parameters(), 23_837_184);
        assert_eq!(12 * BERT_BASE.n_layer_parameters(12), 85_054_464);
        assert_eq!(BERT_BASE.n_pooler_parameters(), 590_592);
        assert_eq!(total(BERT_BASE), 109_482_240);
        assert_eq!(total(ROBERTA_LARGE), 354_310_144);
        assert_eq!(GPT2_MEDIUM.n_layer_parameters(16), 12_596_224);
        assert_eq!(total(GPT2_MEDIUM), 354_823_168);
        let share = n_trainable(&BERT_BASE, DEFAULT, 16, 16, 0) as f64 / total(BERT_BASE) as f64;
        assert_eq!(format!("{:.2}", 100.0 * share), "0.54");
    }

    /// The table of section 3.2. RoBERTa-large is counted with its task head of 1,051,650 numbers.
    #[test]
    fn nonzero_parameters() {
        let sites = sites(&BERT_BASE);
        let (adapted, others) = groups(&sites, &[]);
        let size = |group: &[&Site]| group.iter().map(|site| site.n_entries()).sum::<usize>();
        assert_eq!((size(&adapted), size(&others)), (14_155_776, 71_368_704));
        assert_eq!(n_prunable(&sites), 85_524_480);
        let total = BERT_BASE.n_parameters(&no_heads());
        for (ratio, nonzero, share) in
            [(0.2, "92.38", "84.4"), (0.3, "83.82", "76.6"), (0.5, "66.72", "60.9")]
        {
            let n = n_nonzero_after(total, &[(size(&adapted), ratio), (size(&others), ratio)]);
            assert_eq!(format!("{:.2}", n as f64 / 1e6), nonzero);
            assert_eq!(format!("{:.1}", 100.0 * n as f64 / total as f64), share);
        }
        assert_eq!(n_nonzero_after(total, &[(14_155_776, 0.2), (71_368_704, 0.2)]), 92_377_344);
        for (shape, head, shares) in
            [(ROBERTA_LARGE, 1_051_650, ["83.0", "74.5", "57.5"]), (GPT2_MEDIUM, 0, ["83.0", "74.5", "57.4"])]
        {
            let (prunable, total) =
                (n_prunable(&self::sites(&shape)), shape.n_parameters(&no_heads()) + head);
            assert_eq!(prunable, 301_989_888);
            for (ratio, share) in [0.2, 0.3, 0.5].into_iter().zip(shares) {
                let n = n_nonzero_after(total, &[(prunable, ratio)]);
                assert_eq!(format!("{:.1}", 100.0 * n as f64 / total as f64), share);
            }
        }
    }

    fn cost(n_heads_removed: usize, feed_forward_kept: f64, unmerged: Option<(usize, usize)>) -> ForwardCost {
        let heads = remove(n_heads_removed);
        forward_cost(&BERT_BASE, &ForwardPlan { n_tokens: 128, heads: &heads, feed_forward_kept, unmerged })
    }

    /// The table of section 3.4.
    #[test]
    fn forward_flops() {
        let dense = cost(0, 1.0, None);
        assert_eq!(dense.flops() / 2.0, 7_274_496.0 * 12.0 * 128.0);
        assert_eq!(format!("{:.2}", dense.flops() / 2e9), "11.17");
        assert_eq!(format!("{:.2}", dense.linear_flops() / 2e9), "10.87");
        for (heads, kept, linear, all) in [
            (3, 1.0, "8.33", "8.78"),
            (6, 1.0, "16.67", "17.57"),
            (9, 1.0, "25.00", "26.35"),
            (0, 0.6, "26.67", "25.95"),
            (3, 0.6, "35.00", "34.73"),
            (4, 0.6, "37.78", "37.66"),
        ] {
            let cost = cost(heads, kept, None);
            assert_eq!(
                format!("{:.2}", 100.0 * cost.linear_saving(&dense)),
                linear,
                "{heads} heads, {kept} kept"
            );
            assert_eq!(format!("{:.2}", 100.0 * cost.saving(&dense)), all, "{heads} heads, {kept} kept");
        }
        for (rank, added) in [(16, "0.68"), (8, "0.34")] {
            let unmerged = cost(0, 1.0, Some((rank, 2)));
            assert_eq!(format!("{:.2}", -100.0 * unmerged.saving(&dense)), added);
        }
    }

    #[test]
    fn sizes_after_head_removal() {
        for (n, millions, delta) in [(3, "102.40", 516_096), (6, "95.31", 442_368), (9, "88.23", 368_640)] {
            assert_eq!(format!("{:.2}", BERT_BASE.n_parameters(&remove(n)) as f64 / 1e6), millions);
            assert_eq!(n_trainable(&BERT_BASE, DEFAULT, 16, 0, n), delta);
        }
    }

    #[test]
    fn the_ledger_counts_masks_and_heads_once() {
        let shape = ModelShape {
            hidden_size: 8,
            intermediate_size: 12,
            num_hidden_layers: 1,
            num_attention_heads: 4,
            ..BERT_BASE
        };
        let sites = sites(&shape);
        let mut mask = Mask::all_kept(64);
        // Entry 1 is in head 0 by row and by column; entry 63 is in head 3 both ways.
        mask.remove(1);
        mask.remove(63);
        let masked = [Role::Query, Role::AttentionOutput, Role::Pooler];
        let masks =
            sites.iter().filter(|site| masked.contains(&site.role)).map(|s| (s.weight_name(), mask.clone()));
        let mut pruned = PrunedState { heads: BTreeMap::new(), masks: masks.collect() };
        let zeros = |pruned: &PrunedState| {
            let ledger = SparsityLedger::new(&sites, pruned, 4);
            assert_eq!(ledger.total().size, 4 * 64 + 2 * 96 + 64);
            assert_eq!(ledger.total().zeros, ledger.rows.iter().map(|row| row.zeros).sum::<usize>());
            ledger.rows.iter().map(|row| row.zeros).collect::<Vec<_>>()
        };
        // Query, key, value, output, up, down, pooler.
        assert_eq!(zeros(&pruned), [2, 0, 0, 2, 0, 0, 2]);
        pruned.heads = [(0, vec![0, 2])].into();
        assert_eq!(zeros(&pruned), [33, 32, 32, 33, 0, 0, 2]);
        let row = LedgerRow { name: "x".into(), size: 8, zeros: 2 };
        assert_eq!(row.share(), 0.25);
        assert_eq!(LedgerRow { size: 0, zeros: 0, ..row }.share(), 0.0);
    }
}
