//! A matrix taken apart into a low-rank part, sparse entries and what is left.

use std::ops::ControlFlow;

use crate::omega::grebsmo::grebsmo_sweeps;
use crate::omega::linalg::Matrix;
use crate::omega::select::largest;
use crate::random::Random;

/// Searches from different starts, of which the best counts.
const N_STARTS: u64 = 4;

/// W ≈ L + S.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// L, of rank at most what was asked for, (m, n).
    pub low_rank: Matrix<f64>,
    /// S, (m, n).
    pub sparse: Matrix<f64>,
    /// W − L − S, (m, n).
    pub rest: Matrix<f64>,
    /// Positions of S, flat and ascending.
    pub support: Vec<u32>,
    /// ‖W − L − S‖ / ‖W‖.
    pub error: f64,
    /// Numbers that L and S have together: r (m + n) + c, as `dsee-method` 1.4 counts them.
    pub n_parameters: usize,
}

impl Split {
    /// The best that GreBsmo finds from a few starts with rank `rank` and `n_entries` entries.
    ///
    /// The search is greedy and may end in a worse place than it could; on matrices this small that happens often.
    /// Rank 0 needs no search: S is then the largest entries. Entries 0 leaves the search a plain low-rank fit.
    #[must_use]
    pub fn new(w: &Matrix<f64>, rank: usize, n_entries: usize) -> Self {
        let n_entries = n_entries.min(w.data.len());
        if rank == 0 {
            return Self::from_residual(w, 0, w, largest(&w.data, n_entries));
        }
        let rank = rank.min(w.rows).min(w.cols);
        let from = |seed| Self::search(w, rank, n_entries, seed);
        (1..N_STARTS).map(from).fold(from(0), |best, next| if next.error < best.error { next } else { best })
    }

    /// What the search finds from one start.
    fn search(w: &Matrix<f64>, rank: usize, n_entries: usize, seed: u64) -> Self {
        let mut last = (w.clone(), Vec::new());
        // The onlooker never breaks, so the search comes to its end.
        let _ = grebsmo_sweeps(w, rank, n_entries, &mut Random::new(seed, 0), &mut |sweep| {
            last = (sweep.residual.clone(), sweep.progress.support.to_vec());
            ControlFlow::Continue(())
        });
        Self::from_residual(w, rank, &last.0, last.1)
    }

    /// The parts that belong to W − L = `residual` and the positions `support`.
    pub(super) fn from_residual(
        w: &Matrix<f64>,
        rank: usize,
        residual: &Matrix<f64>,
        support: Vec<u32>,
    ) -> Self {
        let mut low_rank = w.clone();
        low_rank.data.iter_mut().zip(&residual.data).for_each(|(l, r)| *l -= r);
        let mut sparse = Matrix::zeros(w.rows, w.cols);
        let mut rest = residual.clone();
        for &i in &support {
            sparse.data[i as usize] = residual.data[i as usize];
            rest.data[i as usize] = 0.0;
        }
        let error = crate::omega::grebsmo::relative(rest.norm(), w.norm());
        let n_parameters = rank * (w.rows + w.cols) + support.len();
        Self { low_rank, sparse, rest, support, error, n_parameters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lessons::Planted;

    #[test]
    fn the_parts_add_up_to_the_matrix() {
        let planted = Planted::outliers(1);
        for (rank, n_entries) in [(0, 0), (0, 12), (3, 0), (3, 12), (24, 5)] {
            let split = Split::new(&planted.w, rank, n_entries);
            for (i, w) in planted.w.data.iter().enumerate() {
                let sum = split.low_rank.data[i] + split.sparse.data[i] + split.rest.data[i];
                assert!((sum - w).abs() < 1e-12);
            }
            assert_eq!(split.n_parameters, rank * 48 + n_entries);
            assert_eq!(split.sparse.data.iter().filter(|x| **x != 0.0).count(), split.support.len());
        }
    }

    /// The claim of lesson 1: the same numbers spent on rank alone fit the spikes worse.
    #[test]
    fn rank_alone_misses_what_rank_and_entries_catch_with_equal_parameters() {
        for seed in 1..=5 {
            let planted = Planted::outliers(seed);
            let alone = Split::new(&planted.w, 4, 0);
            let both = Split::new(&planted.w, 3, 48);
            assert_eq!(alone.n_parameters, both.n_parameters);
            assert!(both.error < 0.25 * alone.error, "seed {seed}: {} against {}", both.error, alone.error);
            let exact = Split::new(&planted.w, 3, 12);
            assert_eq!(planted.hits(&exact.support), 12, "seed {seed}");
            assert!(exact.n_parameters < alone.n_parameters && exact.error < 0.3 * alone.error);
        }
    }

    #[test]
    fn more_rank_never_fits_worse_and_more_entries_hardly_ever() {
        let w = Planted::outliers(1).w;
        let errors: Vec<f64> = (0..=8).map(|rank| Split::new(&w, rank, 0).error).collect();
        assert!(errors.windows(2).all(|pair| pair[1] <= pair[0]), "{errors:?}");
        let errors: Vec<f64> = (0..=24).map(|n| Split::new(&w, 3, n).error).collect();
        assert!(errors.windows(2).all(|pair| pair[1] <= pair[0] * 1.1), "{errors:?}");
    }
}
