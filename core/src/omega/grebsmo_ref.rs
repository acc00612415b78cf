//! The selection procedure of the DSEE authors' released code, kept for comparison (`dsee-method` 2.3 and 2.4).
//!
//! It raises the rank by 5 a hundred times, whatever the adapter's rank, keeps every residual entry of at least 0.01
//! in S, forgets S at every level, and alternates twice per level. One thing differs from the release: Ω is the
//! exact top c of |W − U V|, taken before the cut, because a cut that leaves fewer than c entries made the release
//! free the whole matrix.
//!
//! It costs about 0.22 TFLOP for a 768² matrix and 0.37 TFLOP for a 1024² one: around a minute per matrix on one
//! CPU core, two orders of magnitude more than the default.

use std::ops::ControlFlow;

use super::basis::orthonormal_rows;
use super::grebsmo::{bilateral_step, relative, residual};
use super::linalg::{Matrix, Real, matmul};
use super::select::largest;
use super::{Omega, OmegaError, Progress, ProgressFn};
use crate::random::Random;

/// Rank levels of the released code: ranks 1, 6, … 496.
pub const LEVELS: usize = 100;
/// Rows added per level.
const RANK_STEP: usize = 5;
/// Alternations per level.
const ALTERNATIONS: usize = 2;
/// Residual entries smaller than this are cut from S.
const THRESHOLD: f64 = 0.01;

/// Runs `levels` levels ([`LEVELS`] for the released schedule) on a weight (m, n); `c` is at most m · n.
///
/// A level whose rank would reach min(m, n) is not run: there U V equals W − S exactly, and the residual that
/// Ω is taken from is rounding noise. So a 384² matrix ends at rank 381.
///
/// # Errors
/// [`OmegaError::Interrupted`] when `progress` says so, after the alternation it was told of.
pub fn grebsmo_ref<T: Real>(
    w: &Matrix<T>,
    levels: usize,
    c: usize,
    random: &mut Random,
    progress: ProgressFn<'_>,
) -> Result<Omega, OmegaError> {
    let norm = w.norm();
    let full_rank = w.rows.min(w.cols);
    let mut v = Matrix::normal(1, w.cols, random);
    let mut found = Omega { indices: largest(&w.data, c), iterations: 0, relative_error: Some(1.0) };
    for _ in 0..levels {
        if v.rows >= full_rank && found.iterations > 0 {
            break;
        }
        let mut d = w.clone();
        let mut rest = Matrix::zeros(0, 0);
        for _ in 0..ALTERNATIONS {
            let u_rows;
            (u_rows, v) = bilateral_step(&d, &v);
            rest = residual(w, &u_rows, &v);
            found.indices = largest(&rest.data, c);
            found.iterations += 1;
            cut(w, &mut rest, &mut d);
            let error = relative(rest.norm(), norm);
            found.relative_error = Some(error);
            let report = Progress {
                iterations: found.iterations,
                rank: v.rows,
                relative_error: error,
                support: &found.indices,
            };
            if progress(&report) == ControlFlow::Break(()) {
                return Err(OmegaError::Interrupted);
            }
        }
        let more = RANK_STEP.min(full_rank - v.rows);
        v = v.stacked(&leading_rows(&rest, more));
    }
    Ok(found)
}

/// Moves the entries of at least 0.01 from the residual into S: `rest` becomes E = W − U V − S, `d` becomes W − S.
fn cut<T: Real>(w: &Matrix<T>, rest: &mut Matrix<T>, d: &mut Matrix<T>) {
    let threshold = T::from_f64(THRESHOLD);
    for ((rest, d), &w) in rest.data.iter_mut().zip(&mut d.data).zip(&w.data) {
        let is_small = *rest < threshold && -*rest < threshold;
        *d = if is_small { w } else { w - *rest };
        if !is_small {
            *rest = T::default();
        }
    }
}

/// The first `k` rows of R in E = Q R, up to their signs, which do not matter because only the span is used.
///
/// They are Q_kᵀ E with Q_k an orthonormal basis of E's first k columns, so no full factorisation is needed.
fn leading_rows<T: Real>(e: &Matrix<T>, k: usize) -> Matrix<T> {
    let mut columns = Matrix::zeros(k, e.rows);
    for i in 0..e.rows {
        for j in 0..k {
            columns.data[j * e.rows + i] = e.data[i * e.cols + j];
        }
    }
    matmul(&orthonormal_rows(&columns), e)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::omega::synthetic::{self, hits};

    fn run(w: &Matrix<f64>, levels: usize, seed: u64) -> Omega {
        grebsmo_ref(w, levels, 16, &mut Random::new(seed, 0), &mut |_| ControlFlow::Continue(())).unwrap()
    }

    /// The column "after rank 16" of the table in `dsee-method` 2.5.
    #[test]
    fn at_rank_16_it_still_finds_the_spikes() {
        for case in synthetic::five(768).iter().filter(|case| !case.spikes_are_small) {
            let found = run(&case.w, 4, 0);
            assert_eq!((hits(&found.indices, &case.spikes), found.iterations), (16, 8), "{}", case.name);
        }
    }

    /// The table's main finding in small: past the weight's own rank the spikes drop out of the selection.
    #[test]
    fn at_high_rank_it_loses_them() {
        let case = &synthetic::five(192)[0];
        let (early, late) = (run(&case.w, 4, 0), run(&case.w, LEVELS, 0));
        assert_eq!(hits(&early.indices, &case.spikes), 16);
        assert!(hits(&late.indices, &case.spikes) <= 4, "{} found late", hits(&late.indices, &case.spikes));
        assert_eq!(late.indices.len(), 16, "exactly c entries although next to none pass the cut");
    }

    #[test]
    fn ranks_follow_the_schedule_and_stop_below_full_rank() {
        let w = Matrix::<f64>::normal(20, 31, &mut Random::new(1, 1));
        let mut ranks = Vec::new();
        grebsmo_ref(&w, LEVELS, 3, &mut Random::new(0, 0), &mut |p| {
            ranks.push(p.rank);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(ranks, [1, 1, 6, 6, 11, 11, 16, 16]);
        let found = run(&Matrix::normal(1, 40, &mut Random::new(1, 2)), LEVELS, 0);
        assert_eq!((found.indices.len(), found.iterations), (16, 2));
    }

    #[test]
    fn new_rows_are_those_of_a_triangular_factor() {
        // R of E = Q R is upper triangular: row i is orthogonal to nothing before column i but zero there.
        let e = Matrix::<f64>::normal(12, 9, &mut Random::new(3, 3));
        let rows = leading_rows(&e, 5);
        for i in 0..5 {
            for j in 0..i {
                assert!(rows.data[i * 9 + j].abs() < 1e-13, "({i}, {j})");
            }
        }
        // And Rᵀ R reproduces the Gram matrix of the first columns.
        let column_norm: f64 = (0..12).map(|i| e.data[i * 9].powi(2)).sum();
        assert!((rows.data[0].powi(2) - column_norm).abs() < 1e-12);
    }

    #[test]
    fn the_cut_splits_the_residual_without_loss() {
        let w = Matrix { rows: 1, cols: 4, data: vec![1.0, 1.0, 1.0, 1.0] };
        let mut rest = Matrix { rows: 1, cols: 4, data: vec![0.5, -0.009, 0.01, -0.5] };
        let mut d = w.clone();
        cut(&w, &mut rest, &mut d);
        assert_eq!(rest.data, [0.0, -0.009, 0.0, 0.0]);
        assert_eq!(d.data, [0.5, 1.0, 0.99, 1.5]);
    }

    #[test]
    fn it_can_be_stopped() {
        let w = Matrix::<f64>::normal(20, 20, &mut Random::new(1, 1));
        let result = grebsmo_ref(&w, LEVELS, 3, &mut Random::new(0, 0), &mut |_| ControlFlow::Break(()));
        assert_eq!(result, Err(OmegaError::Interrupted));
    }
}
