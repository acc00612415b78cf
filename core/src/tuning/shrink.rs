//! Physical removal of attention heads: full-size tensors to small ones and back (`dsee-method` 3.3).
//!
//! Query, key and value lose output rows (weight, bias, B, entries of S); the attention output loses input columns
//! (weight, A, entries of S) and keeps its bias. Everything else keeps its size.

use super::state::SiteDelta;
use crate::checkpoint::HostTensor;
use crate::nn::site::Role;

/// The rows of one layer's query, key and value, equally the columns of its attention output, that remain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRows {
    /// Remaining rows in full-size numbering, ascending.
    rows: Vec<usize>,
    /// Rows before removal.
    n_full: usize,
}

impl KeptRows {
    /// The rows that remain when the heads in `removed` go, each of `head_size` rows.
    #[must_use]
    pub fn new(n_heads: usize, head_size: usize, removed: &[usize]) -> Self {
        let heads = (0..n_heads).filter(|head| !removed.contains(head));
        let rows = heads.flat_map(|head| head * head_size..(head + 1) * head_size).collect();
        Self { rows, n_full: n_heads * head_size }
    }

    /// Number of remaining rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row remains.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// What head removal does to a site.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Axis {
    Rows,
    Columns,
    Neither,
}

impl Axis {
    const fn of(role: Role) -> Self {
        match role {
            Role::Query | Role::Key | Role::Value => Self::Rows,
            Role::AttentionOutput => Self::Columns,
            Role::FeedForwardUp | Role::FeedForwardDown | Role::Pooler | Role::Head => Self::Neither,
        }
    }
}

/// A site's weight, (d_out, d_in), without the removed heads.
#[must_use]
pub fn shrink_weight(role: Role, weight: &HostTensor, kept: &KeptRows) -> HostTensor {
    let (d_out, d_in) = (weight.shape[0], weight.shape[1]);
    match Axis::of(role) {
        Axis::Rows => {
            HostTensor { shape: vec![kept.len(), d_in], data: take_rows(&weight.data, d_out, d_in, kept) }
        }
        Axis::Columns => {
            HostTensor { shape: vec![d_out, kept.len()], data: take_columns(&weight.data, d_in, kept) }
        }
        Axis::Neither => weight.clone(),
    }
}

/// A site's bias, (d_out), without the removed heads.
#[must_use]
pub fn shrink_bias(role: Role, bias: &HostTensor, kept: &KeptRows) -> HostTensor {
    if Axis::of(role) != Axis::Rows {
        return bias.clone();
    }
    HostTensor { shape: vec![kept.len()], data: take_rows(&bias.data, bias.data.len(), 1, kept) }
}

/// A site's update without the removed heads. Entries of S in removed rows or columns are dropped.
#[must_use]
pub fn shrink_delta(role: Role, delta: &SiteDelta, kept: &KeptRows) -> SiteDelta {
    let mut small = delta.clone();
    match Axis::of(role) {
        Axis::Rows => {
            small.d_out = kept.len();
            small.b = take_rows(&delta.b, delta.d_out, delta.rank, kept);
        }
        Axis::Columns => {
            small.d_in = kept.len();
            small.a = take_columns(&delta.a, delta.d_in, kept);
        }
        Axis::Neither => return small,
    }
    let entries = delta.s_indices.iter().zip(&delta.s_values).filter_map(|(&index, &value)| {
        let (row, column) = (index as usize / delta.d_in, index as usize % delta.d_in);
        let (row, column) = match Axis::of(role) {
            Axis::Rows => (kept.rows.binary_search(&row).ok()?, column),
            _ => (row, kept.rows.binary_search(&column).ok()?),
        };
        Some(((row * small.d_in + column) as u32, value))
    });
    (small.s_indices, small.s_values) = entries.unzip();
    small
}

/// The inverse of [`shrink_delta`]: removed rows of B, or columns of A, are zero.
#[must_use]
pub fn expand_delta(role: Role, small: &SiteDelta, kept: &KeptRows) -> SiteDelta {
    let mut full = small.clone();
    match Axis::of(role) {
        Axis::Rows => {
            full.d_out = kept.n_full;
            full.b = put_rows(&small.b, small.rank, kept);
        }
        Axis::Columns => {
            full.d_in = kept.n_full;
            full.a = put_columns(&small.a, small.rank, kept);
        }
        Axis::Neither => return full,
    }
    for index in &mut full.s_indices {
        let (row, column) = (*index as usize / small.d_in, *index as usize % small.d_in);
        let (row, column) = match Axis::of(role) {
            Axis::Rows => (kept.rows[row], column),
            _ => (row, kept.rows[column]),
        };
        *index = (row * full.d_in + column) as u32;
    }
    full
}

/// A weight with the entries of removed heads set to zero, at its full size: rows for query, key and value,
/// columns for the attention output. `small` comes from [`shrink_weight`].
#[must_use]
pub fn expand_weight(role: Role, small: &HostTensor, kept: &KeptRows) -> HostTensor {
    let (d_out, d_in) = (small.shape[0], small.shape[1]);
    match Axis::of(role) {
        Axis::Rows => HostTensor { shape: vec![kept.n_full, d_in], data: put_rows(&small.data, d_in, kept) },
        Axis::Columns => {
            HostTensor { shape: vec![d_out, kept.n_full], data: put_columns(&small.data, d_out, kept) }
        }
        Axis::Neither => small.clone(),
    }
}

/// A bias with the entries of removed heads set to zero, at its full size.
#[must_use]
pub fn expand_bias(role: Role, small: &HostTensor, kept: &KeptRows) -> HostTensor {
    if Axis::of(role) != Axis::Rows {
        return small.clone();
    }
    HostTensor { shape: vec![kept.n_full], data: put_rows(&small.data, 1, kept) }
}

fn take_rows(data: &[f32], n_rows: usize, width: usize, kept: &KeptRows) -> Vec<f32> {
    assert_eq!(n_rows, kept.n_full, "a full-size tensor has all rows");
    kept.rows.iter().flat_map(|&row| &data[row * width..][..width]).copied().collect()
}

fn take_columns(data: &[f32], width: usize, kept: &KeptRows) -> Vec<f32> {
    assert_eq!(width, kept.n_full, "a full-size tensor has all columns");
    data.chunks_exact(width).flat_map(|row| kept.rows.iter().map(|&column| row[column])).collect()
}

fn put_rows(data: &[f32], width: usize, kept: &KeptRows) -> Vec<f32> {
    let mut full = vec![0.0; kept.n_full * width];
    for (i, &row) in kept.rows.iter().enumerate() {
        full[row * width..][..width].copy_from_slice(&data[i * width..][..width]);
    }
    full
}

fn put_columns(data: &[f32], n_rows: usize, kept: &KeptRows) -> Vec<f32> {
    let mut full = vec![0.0; n_rows * kept.n_full];
    for row in 0..n_rows {
        for (i, &column) in kept.rows.iter().enumerate() {
            full[row * kept.n_full + column] = data[row * kept.len() + i];
        }
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: &[usize]) -> HostTensor {
        HostTensor {
            shape: shape.to_vec(),
            data: (1..=shape.iter().product()).map(|x: usize| x as f32).collect(),
        }
    }

    fn delta(d_out: usize, d_in: usize, s_indices: &[u32]) -> SiteDelta {
        SiteDelta {
            path: "x".into(),
            d_out,
            d_in,
            rank: 2,
            scale: 0.5,
            a: counting(&[2, d_in]).data,
            b: counting(&[d_out, 2]).data,
            s_indices: s_indices.to_vec(),
            s_values: counting(&[s_indices.len()]).data,
        }
    }

    /// ΔW of the shrunken update is the shrunken ΔW, and expanding it gives ΔW with the removed part zero.
    fn check_round_trip(role: Role, delta: &SiteDelta, kept: &KeptRows) {
        let small = shrink_delta(role, delta, kept);
        let dense = HostTensor { shape: vec![delta.d_out, delta.d_in], data: delta.dense() };
        let small_dense = shrink_weight(role, &dense, kept);
        assert_eq!(small_dense.shape, [small.d_out, small.d_in]);
        assert_eq!(small_dense.data, small.dense());
        let back = expand_delta(role, &small, kept);
        assert_eq!(back.dense(), expand_weight(role, &small_dense, kept).data);
        assert_eq!(shrink_delta(role, &back, kept), small);
        assert!(back.s_indices.is_sorted());
    }

    #[test]
    fn query_loses_rows() {
        let kept = KeptRows::new(3, 2, &[1]);
        assert_eq!((kept.len(), kept.is_empty()), (4, false));
        // Entries in rows 0, 2 (removed), 3 (removed) and 5.
        let delta = delta(6, 5, &[4, 10, 17, 25]);
        let small = shrink_delta(Role::Query, &delta, &kept);
        assert_eq!(
            (small.d_out, &small.s_indices[..], &small.s_values[..]),
            (4, &[4, 15][..], &[1.0, 4.0][..])
        );
        assert_eq!(small.a, delta.a, "the input-side factor is untouched");
        check_round_trip(Role::Query, &delta, &kept);
        let bias = shrink_bias(Role::Key, &counting(&[6]), &kept);
        assert_eq!(bias.data, [1.0, 2.0, 5.0, 6.0]);
        assert_eq!(expand_bias(Role::Key, &bias, &kept).data, [1.0, 2.0, 0.0, 0.0, 5.0, 6.0]);
    }

    #[test]
    fn attention_output_loses_columns_and_keeps_its_bias() {
        let kept = KeptRows::new(3, 2, &[0, 2]);
        let delta = delta(5, 6, &[0, 2, 9, 29]);
        let small = shrink_delta(Role::AttentionOutput, &delta, &kept);
        assert_eq!((small.d_in, &small.s_indices[..]), (2, &[0, 3][..]));
        assert_eq!(small.b, delta.b);
        check_round_trip(Role::AttentionOutput, &delta, &kept);
        let bias = counting(&[5]);
        assert_eq!(shrink_bias(Role::AttentionOutput, &bias, &kept), bias);
        assert_eq!(expand_bias(Role::AttentionOutput, &bias, &kept), bias);
    }

    #[test]
    fn other_sites_keep_their_size_and_no_removal_changes_nothing() {
        let (weight, update) = (counting(&[5, 6]), delta(5, 6, &[3]));
        let kept = KeptRows::new(3, 2, &[1]);
        assert_eq!(shrink_weight(Role::FeedForwardUp, &weight, &kept), weight);
        assert_eq!(expand_weight(Role::FeedForwardUp, &weight, &kept), weight);
        assert_eq!(expand_delta(Role::Pooler, &shrink_delta(Role::Pooler, &update, &kept), &kept), update);
        let all = KeptRows::new(3, 2, &[]);
        assert_eq!(shrink_delta(Role::AttentionOutput, &update, &all), update);
        assert_eq!(shrink_weight(Role::AttentionOutput, &weight, &all), weight);
    }
}
