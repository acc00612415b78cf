//! Orthonormal bases, by Householder reflections and by Cholesky factors of Gram matrices.
//!
//! Bases are kept as *rows*, so that every vector is contiguous.

use super::linalg::{Matrix, Real, matmul_transposed};

/// Orthonormal rows that span the rows of `a`, (k, n) with k ≤ n, by Householder reflections.
///
/// The result has orthonormal rows whatever the rank of `a`, and its first j rows span the first j rows of `a`
/// wherever those are independent: it is the transposed thin Q of Aᵀ = Q R.
#[must_use]
pub fn orthonormal_rows<T: Real>(a: &Matrix<T>) -> Matrix<T> {
    let (k, n) = (a.rows, a.cols);
    assert!(k <= n, "{k} rows of length {n} cannot be orthonormal");
    let mut vectors = a.data.clone();
    let mut scales = vec![T::default(); k];
    for j in 0..k {
        let (head, tail) = vectors.split_at_mut((j + 1) * n);
        let vector = &mut head[j * n + j..];
        scales[j] = reflector(vector);
        for row in tail.chunks_exact_mut(n) {
            reflect(&mut row[j..], vector, scales[j]);
        }
    }
    // Row j of Qᵀ is H₀ H₁ … H_j e_j: the reflections after j leave e_j alone.
    let mut q = Matrix::zeros(k, n);
    for (j, row) in q.data.chunks_exact_mut(n).enumerate() {
        row[j] = T::from_f64(1.0);
    }
    for j in (0..k).rev() {
        let vector = &vectors[j * n + j..(j + 1) * n];
        for row in q.data[j * n..].chunks_exact_mut(n) {
            reflect(&mut row[j..], vector, scales[j]);
        }
    }
    q
}

/// Replaces x by v and returns β such that (I − β v vᵀ) x is a multiple of e₀. A zero x gives β = 0.
fn reflector<T: Real>(x: &mut [T]) -> T {
    let norm = dot(x, x).sqrt();
    if norm == T::default() {
        return norm;
    }
    // The sign that adds to x₀ instead of cancelling it.
    x[0] += if x[0] < T::default() { -norm } else { norm };
    T::from_f64(2.0) / dot(x, x)
}

/// x ← (I − β v vᵀ) x.
fn reflect<T: Real>(x: &mut [T], v: &[T], beta: T) {
    let factor = -(beta * dot(x, v));
    add_scaled(x, factor, v);
}

/// Orthonormal rows that span the rows of `a` by Cholesky factors of Gram matrices, as a device does it.
///
/// The first of the three passes adds 1e-6 · trace to the Gram matrix's diagonal; without that the factorisation
/// breaks down in f32 from condition numbers of about 3e3 on (`dsee-method` 2.4, rule b). `None` when it breaks
/// down all the same, at condition numbers beyond about 1e7.
#[must_use]
pub fn cholesky_orthonormal_rows<T: Real>(a: &Matrix<T>) -> Option<Matrix<T>> {
    let shifted = cholesky_pass(a, 1e-6)?;
    let second = cholesky_pass(&shifted, 0.0)?;
    cholesky_pass(&second, 0.0)
}

/// L⁻¹ A with A Aᵀ + shift · trace · I = L Lᵀ.
fn cholesky_pass<T: Real>(a: &Matrix<T>, shift: f64) -> Option<Matrix<T>> {
    let mut gram = matmul_transposed(a, a);
    let trace = (0..gram.rows).map(|i| gram.data[i * gram.cols + i].to_f64()).sum::<f64>();
    for i in 0..gram.rows {
        gram.data[i * gram.cols + i] += T::from_f64(shift * trace);
    }
    cholesky(&mut gram)?;
    let mut out = a.clone();
    for i in 0..a.rows {
        let (above, below) = out.data.split_at_mut(i * a.cols);
        let row = &mut below[..a.cols];
        for (j, above) in above.chunks_exact(a.cols).enumerate() {
            add_scaled(row, -gram.data[i * gram.cols + j], above);
        }
        let diagonal = gram.data[i * gram.cols + i];
        row.iter_mut().for_each(|x| *x = *x / diagonal);
    }
    Some(out)
}

/// Overwrites the lower triangle of a symmetric matrix with its Cholesky factor; `None` unless all pivots are positive.
fn cholesky<T: Real>(a: &mut Matrix<T>) -> Option<()> {
    let n = a.cols;
    for i in 0..n {
        for j in 0..=i {
            let (row_i, row_j) = (&a.data[i * n..][..j], &a.data[j * n..][..j]);
            let rest = a.data[i * n + j] - dot(row_i, row_j);
            a.data[i * n + j] = if i > j {
                rest / a.data[j * n + j]
            } else if rest > T::default() {
                rest.sqrt()
            } else {
                return None;
            };
        }
    }
    Some(())
}

/// Σ x y, in eight interleaved sums so that it vectorises.
fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    const LANES: usize = 8;
    let mut sums = [T::default(); LANES];
    let (x_head, x_tail) = x.as_chunks::<LANES>();
    let (y_head, y_tail) = y.as_chunks::<LANES>();
    for (x, y) in x_head.iter().zip(y_head) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let tail = x_tail.iter().zip(y_tail).fold(T::default(), |sum, (&x, &y)| sum + x * y);
    sums.into_iter().fold(tail, |sum, x| sum + x)
}

/// y += a x.
fn add_scaled<T: Real>(y: &mut [T], a: T, x: &[T]) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y += a * x);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::omega::linalg::matmul;
    use crate::random::Random;

    /// ‖Q Qᵀ − I‖_F, in f64.
    fn orthogonality_error<T: Real>(q: &Matrix<T>) -> f64 {
        let q = Matrix { rows: q.rows, cols: q.cols, data: q.data.iter().map(|x| x.to_f64()).collect() };
        let mut gram = matmul_transposed(&q, &q);
        (0..gram.rows).for_each(|i| gram.data[i * gram.cols + i] -= 1.0);
        gram.norm()
    }

    /// `k` rows of length `n` whose singular values fall geometrically from 1 to 1/cond.
    fn conditioned(k: usize, n: usize, cond: f64, random: &mut Random) -> Matrix<f32> {
        let mut left = orthonormal_rows(&Matrix::<f64>::normal(k, k, random));
        for row in left.data.chunks_exact_mut(k) {
            for (i, x) in row.iter_mut().enumerate() {
                *x *= cond.powf(-(i as f64) / (k - 1) as f64);
            }
        }
        let product = matmul(&left, &orthonormal_rows(&Matrix::normal(k, n, random)));
        Matrix { rows: k, cols: n, data: product.data.iter().map(|&x| x as f32).collect() }
    }

    #[test]
    fn householder_rows_are_orthonormal_and_span_the_input() {
        let mut random = Random::new(2, 0);
        for (k, n) in [(1, 1), (3, 3), (5, 70), (16, 129)] {
            let a = Matrix::<f64>::normal(k, n, &mut random);
            let q = orthonormal_rows(&a);
            assert!(orthogonality_error(&q) < 1e-13, "({k}, {n})");
            // Projecting the input on the basis gives it back.
            let back = matmul(&matmul_transposed(&a, &q), &q);
            assert!(a.data.iter().zip(&back.data).all(|(x, y)| (x - y).abs() < 1e-12), "({k}, {n})");
        }
    }

    #[test]
    fn dependent_and_zero_rows_still_give_a_basis() {
        let a = Matrix { rows: 3, cols: 4, data: vec![1., 2., 3., 4., 2., 4., 6., 8., 0., 0., 0., 0.] };
        assert!(orthogonality_error(&orthonormal_rows::<f64>(&a)) < 1e-14);
        assert!(orthogonality_error(&orthonormal_rows(&Matrix::<f64>::zeros(3, 4))) < 1e-14);
    }

    #[test]
    fn one_cholesky_pass_fails_where_three_shifted_hold() {
        let mut random = Random::new(3, 0);
        for (cond, one_pass_is_good) in [(5.0, true), (3e4, false), (8e4, false)] {
            let a = conditioned(64, 300, cond, &mut random);
            assert!(orthogonality_error(&orthonormal_rows(&a)) < 2e-5, "Householder at {cond}");
            let once = cholesky_pass(&a, 0.0).map_or(f64::INFINITY, |q| orthogonality_error(&q));
            assert_eq!(once < 1e-3, one_pass_is_good, "one pass at {cond} has error {once}");
            let error = orthogonality_error(&cholesky_orthonormal_rows(&a).unwrap());
            assert!(error < 1e-5, "three passes at {cond} have error {error}");
        }
    }
}
