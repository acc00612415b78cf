//! Singular values of a matrix, for looking at weights and updates.
//!
//! They are the roots of the eigenvalues of the smaller Gram matrix, which Householder reflections make tridiagonal and
//! bisection with Sturm counts then separates (Golub and Van Loan, *Matrix Computations*, 8.3 and 8.4). Squaring costs
//! the small ones: below about 1e-8 of the largest there is only rounding, which is far below what f32 weights hold.

use super::linalg::{Matrix, matmul_transposed, transposed_matmul};

/// Halvings of an interval: more change nothing in f64.
const N_HALVINGS: usize = 60;
/// Independent calculations that a processor can do side by side.
const LANES: usize = 8;

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

/// A symmetric matrix, of which the lower triangle is read, as a tridiagonal one with the same eigenvalues: its diagonal,
/// and what stands beside it.
fn tridiagonal(mut a: Matrix<f64>) -> (Vec<f64>, Vec<f64>) {
    let n = a.rows;
    let mut beside = vec![0.0; n.saturating_sub(1)];
    for k in (1..n).rev() {
        // The reflection that leaves one entry of row k beside the diagonal.
        let mut v = a.row(k)[..k].to_vec();
        let norm = dot(&v, &v).sqrt();
        let target = if v[k - 1] > 0.0 { -norm } else { norm };
        beside[k - 1] = target;
        v[k - 1] -= target;
        let square = dot(&v, &v);
        if square > 0.0 {
            reflect(&mut a, &v, 2.0 / square);
        }
    }
    ((0..n).map(|i| a.data[i * n + i]).collect(), beside)
}

/// A ← H A H on the leading rows and columns, with H = I - β v vᵀ: a rank-two update of the lower triangle.
fn reflect(a: &mut Matrix<f64>, v: &[f64], beta: f64) {
    let n = a.cols;
    let mut w = vec![0.0; v.len()];
    for (i, &v_i) in v.iter().enumerate() {
        let row = &a.row(i)[..i];
        // Each entry stands for its mirror image as well.
        w[i] += dot(row, &v[..i]) + a.row(i)[i] * v_i;
        w[..i].iter_mut().zip(row).for_each(|(w, x)| *w += x * v_i);
    }
    w.iter_mut().for_each(|w| *w *= beta);
    let half = beta / 2.0 * dot(&w, v);
    w.iter_mut().zip(v).for_each(|(w, v)| *w -= half * v);
    for (i, (&v_i, &w_i)) in v.iter().zip(&w).enumerate() {
        let row = &mut a.data[i * n..=i * n + i];
        for ((x, &v_j), &w_j) in row.iter_mut().zip(v).zip(&w) {
            *x -= v_i * w_j + w_i * v_j;
        }
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        sums.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum += x * y);
    }
    sums.iter().sum::<f64>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f64>()
}

/// Eigenvalues of a symmetric tridiagonal matrix, descending.
fn eigenvalues(diagonal: &[f64], beside: &[f64]) -> Vec<f64> {
    let n = diagonal.len();
    let squares: Vec<f64> = std::iter::once(0.0).chain(beside.iter().map(|x| x * x)).collect();
    let radius = |i: usize| {
        let left = if i > 0 { beside[i - 1].abs() } else { 0.0 };
        left + beside.get(i).map_or(0.0, |x| x.abs())
    };
    // Every eigenvalue lies within Gershgorin's circles.
    let highest = (0..n).map(|i| diagonal[i] + radius(i)).fold(f64::NEG_INFINITY, f64::max);
    let lowest = (0..n).map(|i| diagonal[i] - radius(i)).fold(f64::INFINITY, f64::min);
    let mut values = Vec::with_capacity(n);
    for first in (0..n).step_by(LANES) {
        let (mut low, mut high) = ([lowest; LANES], [highest; LANES]);
        for _ in 0..N_HALVINGS {
            let middle: [f64; LANES] = std::array::from_fn(|lane| low[lane] + (high[lane] - low[lane]) / 2.0);
            let counts = n_below(diagonal, &squares, &middle);
            for (lane, count) in counts.into_iter().enumerate() {
                // The value of this rank lies below if all but `rank` values do.
                let bound = if count + first + lane >= n { &mut high[lane] } else { &mut low[lane] };
                *bound = middle[lane];
            }
        }
        values.extend(&high[..LANES.min(n - first)]);
    }
    values
}

/// How many eigenvalues are smaller than each `x`: the negative pivots of T - x I (Sturm). `squares` are those of the
/// entries before the diagonal.
fn n_below(diagonal: &[f64], squares: &[f64], x: &[f64; LANES]) -> [usize; LANES] {
    let (mut counts, mut pivots) = ([0; LANES], [1.0; LANES]);
    for (d, square) in diagonal.iter().zip(squares) {
        for (lane, pivot) in pivots.iter_mut().enumerate() {
            let next = d - x[lane] - square / *pivot;
            *pivot = if next == 0.0 { f64::MIN_POSITIVE } else { next };
            counts[lane] += usize::from(*pivot < 0.0);
        }
    }
    counts
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
