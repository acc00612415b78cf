//! Updates without removed attention heads, and back to full size (`dsee-method` 3.3): query, key and value lose rows of B
//! and entries of S, the attention output loses columns of A and entries of S.

use super::state::SiteDelta;
use crate::checkpoint::HostTensor;
use crate::nn::head_layout::{HeadAxis, HeadLayout};

/// A site's update without the removed heads. Entries of S in removed rows or columns are dropped.
#[must_use]
pub fn shrink_delta(delta: &SiteDelta, layout: &HeadLayout<'_>) -> SiteDelta {
    let mut small = resized(delta, layout, |factor, _| layout.shrink(factor));
    let kept = layout.kept_places();
    let entries = delta.s_indices.iter().zip(&delta.s_values).filter_map(|(&index, &value)| {
        let index =
            moved(index, delta.d_in, small.d_in, layout.axis, |place| kept.binary_search(&place).ok())?;
        Some((index, value))
    });
    let (indices, values) = entries.unzip();
    (small.s_indices, small.s_values) = (indices, values);
    small
}

/// The inverse of [`shrink_delta`]: removed rows of B, or columns of A, are zero.
#[must_use]
pub fn expand_delta(small: &SiteDelta, layout: &HeadLayout<'_>) -> SiteDelta {
    let mut full = resized(small, layout, |factor, shape| layout.expand(factor, shape));
    let kept = layout.kept_places();
    let (narrow, wide) = (small.d_in, full.d_in);
    let place = |index: &u32| moved(*index, narrow, wide, layout.axis, |place| kept.get(place).copied());
    full.s_indices = small.s_indices.iter().filter_map(place).collect();
    full
}

/// The update with the factor that heads lie in changed; `resize` is also told the factor's shape in full size.
fn resized(
    delta: &SiteDelta,
    layout: &HeadLayout<'_>,
    resize: impl Fn(&HostTensor, &[usize]) -> HostTensor,
) -> SiteDelta {
    let mut other = delta.clone();
    let n_places = layout.n_heads * layout.head_size;
    match layout.axis {
        HeadAxis::Rows => {
            let factor = HostTensor { shape: vec![delta.d_out, delta.rank], data: delta.b.clone() };
            let factor = resize(&factor, &[n_places, delta.rank]);
            (other.d_out, other.b) = (factor.shape[0], factor.data);
        }
        HeadAxis::Columns => {
            let factor = HostTensor { shape: vec![delta.rank, delta.d_in], data: delta.a.clone() };
            let factor = resize(&factor, &[delta.rank, n_places]);
            (other.d_in, other.a) = (factor.shape[1], factor.data);
        }
        HeadAxis::Entries => unreachable!("updates are of weights"),
    }
    other
}

/// The flat index of an entry after its place along the head axis has become `renumber(place)`, in a matrix whose width
/// goes from `d_in` to `new_d_in`.
fn moved(
    index: u32,
    d_in: usize,
    new_d_in: usize,
    axis: HeadAxis,
    renumber: impl Fn(usize) -> Option<usize>,
) -> Option<u32> {
    let (row, column) = (index as usize / d_in, index as usize % d_in);
    let (row, column) = match axis {
        HeadAxis::Rows => (renumber(row)?, column),
        HeadAxis::Columns => (row, renumber(column)?),
        HeadAxis::Entries => unreachable!("updates are of weights"),
    };
    Some((row * new_d_in + column) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(len: usize) -> Vec<f32> {
        (1..=len).map(|x| x as f32).collect()
    }

    fn delta(d_out: usize, d_in: usize, s_indices: &[u32]) -> SiteDelta {
        SiteDelta {
            path: "x".into(),
            d_out,
            d_in,
            rank: 2,
            scale: 0.5,
            a: counting(2 * d_in),
            b: counting(d_out * 2),
            s_indices: s_indices.to_vec(),
            s_values: counting(s_indices.len()),
        }
    }

    /// ΔW of the shrunken update is the shrunken ΔW, and expanding it gives ΔW with the removed part zero.
    fn check_round_trip(delta: &SiteDelta, layout: &HeadLayout<'_>) {
        let small = shrink_delta(delta, layout);
        let dense = HostTensor { shape: vec![delta.d_out, delta.d_in], data: delta.dense() };
        let small_dense = layout.shrink(&dense);
        assert_eq!(small_dense.shape, [small.d_out, small.d_in]);
        assert_eq!(small_dense.data, small.dense());
        let back = expand_delta(&small, layout);
        assert_eq!(back.dense(), layout.expand(&small_dense, &dense.shape).data);
        assert_eq!(shrink_delta(&back, layout), small);
        assert!(back.s_indices.is_sorted());
    }

    #[test]
    fn query_loses_rows() {
        let layout = HeadLayout { axis: HeadAxis::Rows, n_heads: 3, head_size: 2, removed: &[1] };
        // Entries in rows 0, 2 (removed), 3 (removed) and 5.
        let delta = delta(6, 5, &[4, 10, 17, 25]);
        let small = shrink_delta(&delta, &layout);
        assert_eq!(
            (small.d_out, &small.s_indices[..], &small.s_values[..]),
            (4, &[4, 15][..], &[1.0, 4.0][..])
        );
        assert_eq!(small.a, delta.a, "the input-side factor is untouched");
        check_round_trip(&delta, &layout);
    }

    #[test]
    fn attention_output_loses_columns() {
        let layout = HeadLayout { axis: HeadAxis::Columns, n_heads: 3, head_size: 2, removed: &[0, 2] };
        let delta = delta(5, 6, &[0, 2, 9, 29]);
        let small = shrink_delta(&delta, &layout);
        assert_eq!((small.d_in, &small.s_indices[..]), (2, &[0, 3][..]));
        assert_eq!(small.b, delta.b);
        check_round_trip(&delta, &layout);
    }

    #[test]
    fn no_removal_changes_nothing() {
        let update = delta(5, 6, &[3]);
        let layout = HeadLayout { axis: HeadAxis::Columns, n_heads: 3, head_size: 2, removed: &[] };
        assert_eq!(shrink_delta(&update, &layout), update);
        assert_eq!(expand_delta(&update, &layout), update);
    }
}
