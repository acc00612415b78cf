//! Singular values of a matrix, for looking at weights and updates.
//!
//! They are the roots of the eigenvalues of the smaller Gram matrix, which Householder reflections make tridiagonal and
//! bisection with Sturm counts then separates (Golub and Van Loan, *Matrix Computations*, 8.3 and 8.4). Squaring costs
//! the small ones: below about 1e-8 of the largest there is only rounding, which is far below what f32 weights hold.

use super::linalg::{Matrix, matmul_transposed, transposed_matmul};

/// Halvings of an interval: more change nothing in f64.
const N_HALVINGS: usize = 60;

/// Singular values of a (rows, cols) matrix, descending, min(rows, cols) of them. What rounding alone can make is zero.
#[must_use]
pub fn singular_values(matrix: &Matrix<f64>) -> Vec<f64> {
    let gram = if matrix.rows <= matrix.cols {
        matmul_transposed(matrix, matrix)
    } else {
        transposed_matmul(matrix, matrix)
    };
    let n = gram.rows;
    let (diagonal, beside) = tridiagonal(gram);
    let eigenvalues = eigenvalues(&diagonal, &beside);
    let largest = eigenvalues.first().copied().unwrap_or(0.0);
    let rounding = n as f64 * f64::EPSILON * largest;
    eigenvalues.into_iter().map(|x| if x > rounding { x.sqrt() } else { 0.0 }).collect()
}

/// A symmetric matrix as a tridiagonal one with the same eigenvalues: its diagonal, and what stands beside it.
fn tridiagonal(mut a: Matrix<f64>) -> (Vec<f64>, Vec<f64>) {
    let n = a.rows;
    let mut beside = Vec::new();
    for k in 0..n.saturating_sub(1) {
        // The reflection that leaves one entry of row k beside the diagonal; v starts at column k + 1.
        let mut v = a.row(k)[k + 1..].to_vec();
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let target = if v[0] > 0.0 { -norm } else { norm };
        beside.push(target);
        v[0] -= target;
        let square: f64 = v.iter().map(|x| x * x).sum();
        if square > 0.0 {
            reflect(&mut a, k + 1, &v, 2.0 / square);
        }
    }
    ((0..n).map(|i| a.data[i * n + i]).collect(), beside)
}

/// A ← H A H on the rows and columns from `start`, with H = I - β v vᵀ: a rank-two update, row by row.
fn reflect(a: &mut Matrix<f64>, start: usize, v: &[f64], beta: f64) {
    let n = a.rows;
    let dot = |x: &[f64]| x.iter().zip(v).map(|(x, v)| x * v).sum::<f64>();
    let mut w: Vec<f64> = (start..n).map(|i| beta * dot(&a.row(i)[start..])).collect();
    let half = beta / 2.0 * dot(&w);
    w.iter_mut().zip(v).for_each(|(w, v)| *w -= half * v);
    for (i, (&v_i, &w_i)) in v.iter().zip(&w).enumerate() {
        let row = &mut a.data[(start + i) * n + start..(start + i + 1) * n];
        for ((x, &v_j), &w_j) in row.iter_mut().zip(v).zip(&w) {
            *x -= v_i * w_j + w_i * v_j;
        }
    }
}

/// Eigenvalues of a symmetric tridiagonal matrix, descending.
fn eigenvalues(diagonal: &[f64], beside: &[f64]) -> Vec<f64> {
    let n = diagonal.len();
    let squares: Vec<f64> = beside.iter().map(|x| x * x).collect();
    let radius = |i: usize| {
        let left = if i > 0 { beside[i - 1].abs() } else { 0.0 };
        left + beside.get(i).map_or(0.0, |x| x.abs())
    };
    // Every eigenvalue lies within Gershgorin's circles.
    let highest = (0..n).map(|i| diagonal[i] + radius(i)).fold(f64::NEG_INFINITY, f64::max);
    let lowest = (0..n).map(|i| diagonal[i] - radius(i)).fold(f64::INFINITY, f64::min);
    let nth = |rank: usize| {
        let (mut low, mut high) = (lowest, highest);
        for _ in 0..N_HALVINGS {
            let middle = low + (high - low) / 2.0;
            if n_below(diagonal, &squares, middle) > n - 1 - rank { high = middle } else { low = middle }
        }
        high
    };
    (0..n).map(nth).collect()
}

/// How many eigenvalues are smaller than `x`: the negative pivots of T - x I (Sturm).
fn n_below(diagonal: &[f64], squares: &[f64], x: f64) -> usize {
    let mut count = 0;
    let mut pivot = 1.0;
    for (i, d) in diagonal.iter().enumerate() {
        let carried = if i > 0 { squares[i - 1] / pivot } else { 0.0 };
        pivot = d - x - carried;
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE;
        }
        count += usize::from(pivot < 0.0);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::omega::linalg::matmul;
    use crate::random::Random;

    /// Q of a random orthogonal matrix, as a product of reflections.
    fn orthogonal(n: usize, random: &mut Random) -> Matrix<f64> {
        let mut q = Matrix::zeros(n, n);
        (0..n).for_each(|i| q.data[i * n + i] = 1.0);
        for _ in 0..3 {
            let v = Matrix::<f64>::normal(1, n, random).data;
            let beta = 2.0 / v.iter().map(|x| x * x).sum::<f64>();
            for row in q.data.chunks_exact_mut(n) {
                let along = beta * row.iter().zip(&v).map(|(x, v)| x * v).sum::<f64>();
                row.iter_mut().zip(&v).for_each(|(x, v)| *x -= along * v);
            }
        }
        q
    }

    #[test]
    fn known_spectra_come_back() {
        let mut random = Random::new(5, 0);
        for (rows, cols) in [(1, 1), (4, 4), (7, 3), (3, 40), (40, 17)] {
            let n = rows.min(cols);
            let known: Vec<f64> = (0..n).map(|i| 3.0 * 0.7f64.powi(i as i32)).collect();
            let mut middle = Matrix::zeros(rows, cols);
            (0..n).for_each(|i| middle.data[i * cols + i] = known[i]);
            let left = matmul(&orthogonal(rows, &mut random), &middle);
            let matrix = matmul(&left, &orthogonal(cols, &mut random));
            let found = singular_values(&matrix);
            for (found, known) in found.iter().zip(&known) {
                assert!((found - known).abs() < 1e-7 * known.max(0.1), "({rows}, {cols}): {found} {known}");
            }
        }
    }

    #[test]
    fn low_rank_shows_as_exact_zeros() {
        let mut random = Random::new(6, 0);
        let [b, a] = [(30, 3), (3, 50)].map(|(rows, cols)| Matrix::<f64>::normal(rows, cols, &mut random));
        let found = singular_values(&matmul(&b, &a));
        assert_eq!(found.iter().filter(|&&x| x > 0.0).count(), 3, "{found:?}");
        assert_eq!(singular_values(&Matrix::zeros(3, 2)), [0.0, 0.0]);
    }

    #[test]
    fn equal_values_and_the_norm_are_kept() {
        let mut identity = Matrix::zeros(6, 6);
        (0..6).for_each(|i| identity.data[i * 6 + i] = -2.0);
        assert!(singular_values(&identity).iter().all(|x| (x - 2.0).abs() < 1e-12));
        let matrix = Matrix::<f64>::normal(64, 96, &mut Random::new(7, 0));
        let found = singular_values(&matrix);
        assert!(found.is_sorted_by(|a, b| a >= b));
        let square: f64 = found.iter().map(|x| x * x).sum();
        assert!((square.sqrt() - matrix.norm()).abs() < 1e-9 * matrix.norm());
    }
}
