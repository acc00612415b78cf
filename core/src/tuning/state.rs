//! What a run has trained and pruned, as plain host data: the common currency of checkpoints, exports and reports.
//!
//! Everything is kept in the full-size coordinates of the pretrained model, also after heads were removed;
//! the engine alone works with shrunken matrices. So a state can be applied to the original weights at any time.

use std::collections::BTreeMap;

/// The trained update of one linear map: ΔW = scale · (B A + P_Ω(S)), `dsee-method` section 1.1.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteDelta {
    /// Module path in the transformers model, for example `bert.encoder.layer.0.attention.self.query`.
    pub path: String,
    /// Rows of the weight.
    pub d_out: usize,
    /// Columns of the weight.
    pub d_in: usize,
    /// Rank R of the low-rank part; 0 where there is none.
    pub rank: usize,
    /// alpha / rank; multiplies the low-rank and the sparse part alike.
    pub scale: f32,
    /// A, (R, d_in).
    pub a: Vec<f32>,
    /// B, (d_out, R).
    pub b: Vec<f32>,
    /// Ω: K flat row-major positions `out · d_in + in`, ascending.
    pub s_indices: Vec<u32>,
    /// The K values of S on Ω.
    pub s_values: Vec<f32>,
}

impl SiteDelta {
    /// ΔW as a dense matrix, (d_out, d_in), accumulated in f64.
    #[must_use]
    pub fn dense(&self) -> Vec<f32> {
        self.dense_f64().into_iter().map(|x| x as f32).collect()
    }

    /// ΔW as a dense matrix, (d_out, d_in), not rounded.
    #[must_use]
    pub fn dense_f64(&self) -> Vec<f64> {
        let mut delta = vec![0f64; self.d_out * self.d_in];
        for (row, out) in delta.chunks_exact_mut(self.d_in).enumerate() {
            for rank in 0..self.rank {
                let b = f64::from(self.b[row * self.rank + rank]);
                let a = &self.a[rank * self.d_in..][..self.d_in];
                out.iter_mut().zip(a).for_each(|(o, &a)| *o += b * f64::from(a));
            }
        }
        for (&index, &value) in self.s_indices.iter().zip(&self.s_values) {
            delta[index as usize] += f64::from(value);
        }
        let scale = f64::from(self.scale);
        delta.iter_mut().for_each(|x| *x *= scale);
        delta
    }

    /// The same without S, Ω included.
    #[must_use]
    pub fn low_rank_part(&self) -> Self {
        Self { s_indices: Vec::new(), s_values: Vec::new(), ..self.clone() }
    }

    /// Trained numbers: R (d_out + d_in) + K, section 1.4.
    #[must_use]
    pub fn n_trainable(&self) -> usize {
        self.a.len() + self.b.len() + self.s_values.len()
    }
}

/// What pruning removed. Empty before stage 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunedState {
    /// Layer → removed heads, ascending, in the numbering of the pretrained model.
    pub heads: BTreeMap<usize, Vec<usize>>,
    /// Parameter name → mask of that weight.
    pub masks: BTreeMap<String, Mask>,
}

/// One bit per weight entry, row-major: 1 = kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Bit `i % 64` of word `i / 64` is entry `i`; bits past the end are zero.
    pub keep: Vec<u64>,
    /// Number of entries.
    pub len: usize,
}

impl Mask {
    /// A mask that keeps all of `len` entries.
    #[must_use]
    pub fn all_kept(len: usize) -> Self {
        let mut keep = vec![u64::MAX; len.div_ceil(64)];
        if let Some(last) = keep.last_mut()
            && !len.is_multiple_of(64)
        {
            *last = (1 << (len % 64)) - 1;
        }
        Self { keep, len }
    }

    /// Whether entry `i` is kept.
    #[must_use]
    pub fn get(&self, i: usize) -> bool {
        debug_assert!(i < self.len);
        self.keep[i / 64] >> (i % 64) & 1 == 1
    }

    /// Marks entry `i` as removed.
    pub fn remove(&mut self, i: usize) {
        debug_assert!(i < self.len);
        self.keep[i / 64] &= !(1 << (i % 64));
    }

    /// Number of kept entries.
    #[must_use]
    pub fn count_kept(&self) -> usize {
        self.keep.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Sets the removed entries of `weight` to zero.
    pub fn apply(&self, weight: &mut [f32]) {
        assert_eq!(weight.len(), self.len, "a mask fits one weight");
        for (i, w) in weight.iter_mut().enumerate() {
            if !self.get(i) {
                *w = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_is_the_scaled_sum() {
        let site = SiteDelta {
            path: "x".into(),
            d_out: 2,
            d_in: 3,
            rank: 1,
            scale: 2.0,
            a: vec![1.0, 2.0, 3.0],
            b: vec![10.0, 20.0],
            s_indices: vec![5],
            s_values: vec![0.5],
        };
        assert_eq!(site.dense(), [20.0, 40.0, 60.0, 40.0, 80.0, 121.0]);
        assert_eq!(site.n_trainable(), 6);
    }

    #[test]
    fn masks_count_and_zero() {
        let mut mask = Mask::all_kept(70);
        mask.remove(0);
        mask.remove(69);
        assert_eq!(mask.count_kept(), 68);
        let mut weight = vec![1.0; 70];
        mask.apply(&mut weight);
        assert_eq!(weight.iter().filter(|&&w| w == 0.0).count(), 2);
        assert!(mask.get(1) && !mask.get(69));
    }
}
