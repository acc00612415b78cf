//! Greedy bilateral smoothing with a cardinality constraint: the default way to find Ω (`dsee-method` 2.2 and 2.4).
//!
//! Solves min ½‖W − U V − S‖² with rank(U V) ≤ r and card(S) ≤ c for one weight W (m, n), without data:
//!
//! ```text
//! V ← Δr rows of a randomised range finder of W;  S ← 0
//! for every rank Δr, 2Δr, … r:
//!     at most 20 times, until ‖W − U V − S‖ falls by less than 1e-4 of itself:
//!         U ← orthonormal basis of (W − S) Vᵀ;  V ← Uᵀ (W − S);  S ← the c largest entries of W − U V
//!     V ← V with the range of the residual appended
//! ```
//!
//! The shape of the loop is Zhou and Tao's GreBsmo (AISTATS 2013); keeping exactly c entries instead of shrinking
//! by λ is equation 1 of the DSEE paper taken literally.

use std::ops::ControlFlow;

use super::basis::orthonormal_rows;
use super::linalg::{Matrix, Real, matmul, matmul_transposed, transposed_matmul};
use super::schedule::{Next, Schedule};
use super::select::largest;
use super::{Omega, OmegaError, Progress, ProgressFn};
use crate::random::Random;

/// Runs the search on a weight (m, n) in the precision of `w`; `rank` is in 1..=min(m, n), `c` at most m · n.
///
/// # Errors
/// [`OmegaError::Interrupted`] when `progress` says so, after the alternation it was told of.
pub fn grebsmo<T: Real>(
    w: &Matrix<T>,
    rank: usize,
    c: usize,
    random: &mut Random,
    progress: ProgressFn<'_>,
) -> Result<Omega, OmegaError> {
    grebsmo_sweeps(w, rank, c, random, &mut |sweep| progress(&sweep.progress))
}

/// One alternation as it ended, for those who want to look on.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'a, T> {
    /// How far the search is, with the positions of S.
    pub progress: Progress<'a>,
    /// W − U V, (m, n).
    pub residual: &'a Matrix<T>,
}

/// [`grebsmo`] with an onlooker that sees U V and S after every alternation.
///
/// # Errors
/// [`OmegaError::Interrupted`] when the onlooker says so.
pub fn grebsmo_sweeps<T: Real>(
    w: &Matrix<T>,
    rank: usize,
    c: usize,
    random: &mut Random,
    onlooker: &mut dyn FnMut(&Sweep<'_, T>) -> ControlFlow<()>,
) -> Result<Omega, OmegaError> {
    let norm = w.norm();
    let mut schedule = Schedule::new(rank);
    let mut search = Search::new(w);
    let mut v = range_finder(w, schedule.rank, random);
    loop {
        let rank = schedule.rank;
        search.alternate(&v, c);
        let next = schedule.after(search.error);
        let (iterations, relative_error) = (schedule.iterations, relative(search.error, norm));
        let progress = Progress { iterations, rank, relative_error, support: &search.support };
        if onlooker(&Sweep { progress, residual: &search.residual }).is_break() {
            return Err(OmegaError::Interrupted);
        }
        v = search.v.clone();
        match next {
            Next::Alternate => {}
            Next::Grow(more) => v = v.stacked(&range_finder(&search.leftover(), more, random)),
            Next::Done => {
                let relative_error = Some(relative_error);
                return Ok(Omega { indices: search.support, iterations, relative_error });
            }
        }
    }
}

/// error / norm, and 0 for a zero matrix.
pub(crate) fn relative(error: f64, norm: f64) -> f64 {
    if norm > 0.0 { error / norm } else { 0.0 }
}

/// U and V with U's columns orthonormal: one alternation on `d` = W − S from the rows of `v`. Returns (Uᵀ, V).
pub(super) fn bilateral_step<T: Real>(d: &Matrix<T>, v: &Matrix<T>) -> (Matrix<T>, Matrix<T>) {
    let u_rows = orthonormal_rows(&matmul_transposed(d, v).transposed());
    let v = matmul(&u_rows, d);
    (u_rows, v)
}

/// W − U V.
pub(super) fn residual<T: Real>(w: &Matrix<T>, u_rows: &Matrix<T>, v: &Matrix<T>) -> Matrix<T> {
    let mut out = transposed_matmul(u_rows, v);
    out.data.iter_mut().zip(&w.data).for_each(|(uv, &w)| *uv = w - *uv);
    out
}

/// The state between alternations.
struct Search<'a, T> {
    w: &'a Matrix<T>,
    /// W − S.
    d: Matrix<T>,
    /// V, (k, n), after the last alternation.
    v: Matrix<T>,
    /// W − U V after the last alternation.
    residual: Matrix<T>,
    /// Positions of S, ascending.
    support: Vec<u32>,
    /// ‖W − U V − S‖.
    error: f64,
}

impl<'a, T: Real> Search<'a, T> {
    fn new(w: &'a Matrix<T>) -> Self {
        let empty = Matrix::zeros(0, w.cols);
        Self { w, d: w.clone(), v: empty.clone(), residual: empty, support: Vec::new(), error: w.norm() }
    }

    /// Updates U, V and S once, starting from the rows of `v`.
    fn alternate(&mut self, v: &Matrix<T>, c: usize) {
        // Rows of V grow very different in length; an orthonormal start keeps (W − S) Vᵀ well conditioned in f32.
        let (u_rows, v) = bilateral_step(&self.d, &orthonormal_rows(v));
        self.residual = residual(self.w, &u_rows, &v);
        self.v = v;
        // Entries that leave S return to W's value; on entries in S, W − S is what U V says.
        for &i in &self.support {
            self.d.data[i as usize] = self.w.data[i as usize];
        }
        self.support = largest(&self.residual.data, c);
        for &i in &self.support {
            self.d.data[i as usize] = self.w.data[i as usize] - self.residual.data[i as usize];
        }
        self.error = self.leftover().norm();
    }

    /// W − U V − S: the residual with the entries of S taken out.
    fn leftover(&self) -> Matrix<T> {
        let mut e = self.residual.clone();
        self.support.iter().for_each(|&i| e.data[i as usize] = T::default());
        e
    }
}

/// `k` orthonormal rows that nearly span the strongest right singular directions of `e`: the basis of
/// Eᵀ E Eᵀ G with Gaussian G. Halko, Martinsson and Tropp (2011), one power iteration, re-orthogonalised within.
fn range_finder<T: Real>(e: &Matrix<T>, k: usize, random: &mut Random) -> Matrix<T> {
    let sketch = orthonormal_rows(&matmul(&Matrix::normal(k, e.rows, random), e));
    let image = matmul_transposed(e, &sketch).transposed();
    orthonormal_rows(&matmul(&image, e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::omega::synthetic::{self, hits};

    fn find<T: Real>(w: &Matrix<f64>, rank: usize, c: usize, seed: u64) -> Omega {
        let w = Matrix { rows: w.rows, cols: w.cols, data: w.data.iter().map(|&x| T::from_f64(x)).collect() };
        grebsmo(&w, rank, c, &mut Random::new(seed, 0), &mut |_| ControlFlow::Continue(())).unwrap()
    }

    /// Acceptance check 3 of `dsee-method`, at the sizes of its table, in both precisions.
    #[test]
    fn finds_the_spikes_of_all_five_matrices_where_magnitude_does_not() {
        for case in synthetic::five(768) {
            let magnitude = hits(&largest(&case.w.data, 16), &case.spikes);
            let double = find::<f64>(&case.w, 16, 16, 0);
            let single = find::<f32>(&case.w, 16, 16, 0);
            let found = (hits(&double.indices, &case.spikes), hits(&single.indices, &case.spikes));
            println!(
                "{}: magnitude {magnitude}, found {found:?}, {} iterations",
                case.name, double.iterations
            );
            let least = if case.spikes_are_small { 15 } else { 16 };
            assert!(found.0 >= least && found.1 >= least, "{}: found {found:?}", case.name);
            assert!(!case.spikes_are_small || magnitude <= 8, "{}: magnitude found {magnitude}", case.name);
            assert!(
                (20..=80).contains(&double.iterations),
                "{}: {} iterations",
                case.name,
                double.iterations
            );
            let (a, b) = (double.relative_error.unwrap(), single.relative_error.unwrap());
            assert!((a - b).abs() < 1e-4 * a, "{}: relative errors {a} and {b}", case.name);
        }
    }

    #[test]
    fn other_ranks_find_the_spikes_and_reach_the_noise_floor() {
        let case = &synthetic::five(256)[0];
        for rank in [8, 16, 21, 32] {
            let found = find::<f64>(&case.w, rank, 16, 1);
            assert_eq!(hits(&found.indices, &case.spikes), 16, "rank {rank}");
        }
        let error = find::<f64>(&case.w, 16, 16, 1).relative_error.unwrap();
        let floor = synthetic::NOISE * 256.0 / case.w.norm();
        assert!((error / floor - 1.0).abs() < 0.08, "error {error}, noise floor {floor}");
    }

    #[test]
    fn the_transpose_gives_the_transposed_support() {
        // Only true where the spikes are real; on pure noise the selection depends on the start.
        let case = &synthetic::five(96)[0];
        let found = find::<f64>(&case.w, 16, 16, 2);
        let mut turned: Vec<u32> = find::<f64>(&case.w.transposed(), 16, 16, 2)
            .indices
            .iter()
            .map(|i| i % 96 * 96 + i / 96)
            .collect();
        turned.sort_unstable();
        assert_eq!(found.indices, turned);
    }

    #[test]
    fn odd_shapes_full_rank_and_zero_matrices_come_to_an_end() {
        let mut random = Random::new(5, 0);
        for (m, n, rank, c) in [(1, 1, 1, 1), (7, 3, 3, 2), (3, 7, 2, 21), (40, 33, 33, 5), (20, 20, 17, 4)] {
            let found = find::<f64>(&Matrix::normal(m, n, &mut random), rank, c, 0);
            assert_eq!(found.indices.len(), c, "({m}, {n})");
            assert!(found.indices.windows(2).all(|pair| pair[0] < pair[1]));
        }
        let found = find::<f64>(&Matrix::zeros(8, 8), 4, 3, 0);
        assert_eq!((found.indices, found.relative_error), (vec![0, 1, 2], Some(0.0)));
    }

    #[test]
    fn progress_counts_up_and_can_stop_the_search() {
        let case = &synthetic::five(96)[0];
        let mut ranks = Vec::new();
        let result = grebsmo(&case.w, 16, 16, &mut Random::new(0, 0), &mut |p| {
            assert_eq!(p.support.len(), 16);
            ranks.push(p.rank);
            assert_eq!(p.iterations, ranks.len());
            if p.rank == 8 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(result, Err(OmegaError::Interrupted));
        assert!(ranks.starts_with(&[4, 4]) && ranks.ends_with(&[4, 8]), "{ranks:?}");
    }
}
