//! One matrix as it came from the engine: its pictures, and what one entry is made of.

use dsee_core::{protocol::MatrixView, source::NamedBytes};

use crate::widgets::heat_map::{HeatMap, Shades, number};

/// One matrix with its pictures.
pub struct Matrix {
    /// What the engine said of it.
    pub view: MatrixView,
    /// W.
    pub weight: HeatMap,
    /// Scale · B A, if there is an update.
    pub low_rank: Option<HeatMap>,
    /// Scale · S on Ω, if there are entries.
    pub sparse: Option<HeatMap>,
    /// Their sum.
    pub delta: Option<HeatMap>,
    /// 1 where kept, 0 where removed, if something was.
    pub mask: Option<HeatMap>,
}

impl Matrix {
    /// Puts the parts together; `None` if they do not fit each other.
    pub fn new(view: &MatrixView, attachments: &[NamedBytes]) -> Option<Self> {
        let (rows, cols) = (view.d_out, view.d_in);
        let part = |name: &str| {
            let part = attachments.iter().find(|part| part.name == name)?;
            floats(&part.bytes).filter(|values| values.len() == rows * cols)
        };
        let picture = |values, shades| HeatMap::new(rows, cols, values, shades);
        let low_rank = part("low_rank");
        let mut sparse = vec![0.0; rows * cols];
        for (&i, &x) in view.s_indices.iter().zip(&view.s_values) {
            *sparse.get_mut(i as usize)? = x;
        }
        let has_sparse = !view.s_indices.is_empty();
        let delta = (low_rank.is_some() || has_sparse).then(|| match &low_rank {
            Some(low_rank) => low_rank.iter().zip(&sparse).map(|(a, b)| a + b).collect(),
            None => sparse.clone(),
        });
        Some(Self {
            view: view.clone(),
            weight: picture(part("weight")?, Shades::Signed),
            low_rank: low_rank.map(|values| picture(values, Shades::Signed)),
            sparse: has_sparse.then(|| picture(sparse, Shades::Sparse)),
            delta: delta.map(|values| picture(values, Shades::Signed)),
            mask: part("mask").map(|values| picture(values, Shades::Kept)),
        })
    }

    /// What the entry is made of; zeros outside the matrix.
    pub fn entry(&self, row: usize, col: usize) -> Entry {
        let at = |map: &Option<HeatMap>| map.as_ref().and_then(|map| map.get(row, col));
        let in_omega = self.view.s_indices.binary_search(&((row * self.view.d_in + col) as u32)).is_ok();
        Entry {
            row,
            col,
            weight: self.weight.get(row, col).unwrap_or(0.0),
            low_rank: at(&self.low_rank),
            sparse: at(&self.sparse).filter(|_| in_omega),
            kept: at(&self.mask).is_none_or(|x| x != 0.0),
        }
    }
}

/// The f32 values of little-endian bytes; `None` if the last one is cut.
fn floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let (values, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| values.iter().map(|x| f32::from_le_bytes(*x)).collect())
}

/// What one entry of a weight is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Entry {
    /// Row, an output.
    pub row: usize,
    /// Column, an input.
    pub col: usize,
    /// W.
    pub weight: f32,
    /// Scale · (B A), if there is an update.
    pub low_rank: Option<f32>,
    /// Scale · S, if the position is in Ω.
    pub sparse: Option<f32>,
    /// Whether the mask leaves W.
    pub kept: bool,
}

impl Entry {
    /// The formula of the update with its numbers.
    #[must_use]
    pub fn delta_line(&self) -> String {
        let Self { row, col, low_rank, sparse, .. } = *self;
        let at = format!("[{row}, {col}]");
        let show = |x: f32| number(f64::from(x));
        match (low_rank, sparse) {
            (None, None) => format!("ΔW{at} = 0: this matrix has no update."),
            (Some(low), None) => {
                format!("ΔW{at} = s·Σ B[{row}, k]·A[k, {col}] = {}; not in Ω.", show(low))
            }
            (None, Some(entry)) => format!("ΔW{at} = s·S{at} = {}.", show(entry)),
            (Some(low), Some(entry)) => format!(
                "ΔW{at} = s·Σ B[{row}, k]·A[k, {col}] + s·S{at} = {} + {} = {}.",
                show(low),
                bracketed(entry),
                show(low + entry)
            ),
        }
    }

    /// What the layer computes with.
    #[must_use]
    pub fn weight_line(&self) -> String {
        let delta = self.low_rank.unwrap_or(0.0) + self.sparse.unwrap_or(0.0);
        let weight = number(f64::from(self.weight));
        let (state, kept) = if self.kept { ("kept", self.weight) } else { ("pruned to 0", 0.0) };
        let used = number(f64::from(kept + delta));
        format!("W[{}, {}] = {weight}, {state}. The layer uses {used}.", self.row, self.col)
    }
}

/// A summand; in brackets if it has a sign of its own.
fn bracketed(x: f32) -> String {
    let text = number(f64::from(x));
    if x < 0.0 { format!("({text})") } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use dsee_core::nn::site::Role;

    fn view() -> MatrixView {
        MatrixView {
            request: 1,
            path: "layer.0.query".into(),
            role: Role::Query,
            layer: Some(0),
            d_out: 2,
            d_in: 3,
            rank: 1,
            s_indices: vec![4],
            s_values: vec![0.12],
            weight_singular_values: vec![],
            delta_singular_values: vec![],
            n_zeros: 1,
            removed_heads: vec![],
            step: 7,
        }
    }

    fn part(name: &str, values: &[f32]) -> NamedBytes {
        NamedBytes { name: name.into(), bytes: values.iter().flat_map(|x| x.to_le_bytes()).collect() }
    }

    #[test]
    fn entries_say_what_they_are_made_of() {
        let parts = [
            part("weight", &[1.0, 2.0, 3.0, 4.0, 0.25, -6.0]),
            part("low_rank", &[0.0, 0.5, 0.0, 0.0, 0.013, 0.0]),
            part("mask", &[1.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
        ];
        let matrix = Matrix::new(&view(), &parts).unwrap();
        let entry = matrix.entry(1, 1);
        assert_eq!(
            entry.delta_line(),
            "ΔW[1, 1] = s·Σ B[1, k]·A[k, 1] + s·S[1, 1] = 0.0130 + 0.120 = 0.133."
        );
        assert_eq!(entry.weight_line(), "W[1, 1] = 0.250, kept. The layer uses 0.383.");
        let pruned = matrix.entry(0, 1);
        assert_eq!(pruned.delta_line(), "ΔW[0, 1] = s·Σ B[0, k]·A[k, 1] = 0.500; not in Ω.");
        assert_eq!(pruned.weight_line(), "W[0, 1] = 2.00, pruned to 0. The layer uses 0.500.");
        assert_eq!(matrix.delta.as_ref().unwrap().get(1, 1), Some(0.133));
    }

    #[test]
    fn a_matrix_without_an_update_says_so_and_parts_that_do_not_fit_are_refused() {
        let plain = MatrixView { s_indices: vec![], s_values: vec![], rank: 0, ..view() };
        let matrix = Matrix::new(&plain, &[part("weight", &[0.0; 6])]).unwrap();
        assert!(matrix.delta.is_none() && matrix.sparse.is_none() && matrix.mask.is_none());
        assert_eq!(matrix.entry(0, 0).delta_line(), "ΔW[0, 0] = 0: this matrix has no update.");
        assert!(Matrix::new(&plain, &[part("weight", &[0.0; 5])]).is_none());
        assert!(Matrix::new(&plain, &[]).is_none());
        let outside = MatrixView { s_indices: vec![6], s_values: vec![1.0], ..view() };
        assert!(Matrix::new(&outside, &[part("weight", &[0.0; 6])]).is_none());
    }
}
