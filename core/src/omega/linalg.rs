//! Dense matrices in f32 or f64 for finding Ω, and their products. Written for tall, thin factors.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use crate::random::Random;

/// f32 or f64.
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + From<f32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
{
    /// Nearest value of this type.
    fn from_f64(x: f64) -> Self;
    /// The value as f64, exact.
    fn to_f64(self) -> f64;
    /// Square root.
    fn sqrt(self) -> Self;
    /// An integer that orders finite values by |x|.
    fn magnitude_key(self) -> u64;
}

impl Real for f32 {
    fn from_f64(x: f64) -> Self {
        x as Self
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    fn magnitude_key(self) -> u64 {
        u64::from(self.abs().to_bits())
    }
}

impl Real for f64 {
    fn from_f64(x: f64) -> Self {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    fn magnitude_key(self) -> u64 {
        self.abs().to_bits()
    }
}

/// A dense matrix, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T> {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Entries, `rows · cols`.
    pub data: Vec<T>,
}

impl<T: Real> Matrix<T> {
    /// All zeros.
    #[must_use]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![T::default(); rows * cols] }
    }

    /// A weight, (rows, cols), in this precision.
    #[must_use]
    pub fn from_weight(rows: usize, cols: usize, weight: &[f32]) -> Self {
        assert_eq!(weight.len(), rows * cols, "a weight has rows · cols entries");
        Self { rows, cols, data: weight.iter().map(|&x| T::from(x)).collect() }
    }

    /// Independent standard normal entries.
    #[must_use]
    pub fn normal(rows: usize, cols: usize, random: &mut Random) -> Self {
        Self { rows, cols, data: (0..rows * cols).map(|_| T::from_f64(random.normal())).collect() }
    }

    /// Row `i`.
    #[must_use]
    pub fn row(&self, i: usize) -> &[T] {
        &self.data[i * self.cols..][..self.cols]
    }

    /// The transpose.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut out = Self::zeros(self.cols, self.rows);
        // Square blocks keep both the reads and the writes within a few cache lines.
        const BLOCK: usize = 16;
        for i0 in (0..self.rows).step_by(BLOCK) {
            for j0 in (0..self.cols).step_by(BLOCK) {
                for i in i0..self.rows.min(i0 + BLOCK) {
                    for j in j0..self.cols.min(j0 + BLOCK) {
                        out.data[j * self.rows + i] = self.data[i * self.cols + j];
                    }
                }
            }
        }
        out
    }

    /// This matrix with the rows of `below` under its own.
    #[must_use]
    pub fn stacked(mut self, below: &Self) -> Self {
        assert_eq!(self.cols, below.cols, "stacked matrices are equally wide");
        self.data.extend_from_slice(&below.data);
        self.rows += below.rows;
        self
    }

    /// Frobenius norm, accumulated in f64.
    #[must_use]
    pub fn norm(&self) -> f64 {
        self.data.iter().map(|x| x.to_f64().powi(2)).sum::<f64>().sqrt()
    }
}

/// A B, with A (m, k) and B (k, n).
#[must_use]
pub fn matmul<T: Real>(a: &Matrix<T>, b: &Matrix<T>) -> Matrix<T> {
    assert_eq!(a.cols, b.rows, "the inner sizes of a product agree");
    let mut c = Matrix::zeros(a.rows, b.cols);
    product(View::of(a), View::of(b), &mut c);
    c
}

/// A Bᵀ, with A (m, k) and B (n, k). Meant for few rows in B.
#[must_use]
pub fn matmul_transposed<T: Real>(a: &Matrix<T>, b: &Matrix<T>) -> Matrix<T> {
    assert_eq!(a.cols, b.cols, "the inner sizes of a product agree");
    let mut c = Matrix::zeros(a.rows, b.rows);
    product(View::of(a), View::transposed(b), &mut c);
    c
}

/// Aᵀ B, with A (k, m) and B (k, n). Meant for few columns in A.
#[must_use]
pub fn transposed_matmul<T: Real>(a: &Matrix<T>, b: &Matrix<T>) -> Matrix<T> {
    assert_eq!(a.rows, b.rows, "the inner sizes of a product agree");
    let mut c = Matrix::zeros(a.cols, b.cols);
    product(View::transposed(a), View::of(b), &mut c);
    c
}

/// A matrix read in place or as its transpose.
#[derive(Clone, Copy)]
struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T: Real> View<'a, T> {
    fn of(matrix: &'a Matrix<T>) -> Self {
        let Matrix { rows, cols, .. } = *matrix;
        Self { data: &matrix.data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    fn transposed(matrix: &'a Matrix<T>) -> Self {
        let Matrix { rows, cols, .. } = *matrix;
        Self { data: &matrix.data, rows: cols, cols: rows, row_stride: 1, col_stride: cols }
    }

    fn get(&self, i: usize, j: usize) -> T {
        self.data[i * self.row_stride + j * self.col_stride]
    }
}

/// Side of the square of C that is kept in registers.
const TILE: usize = 4;
/// Depth of one pass: two packed strips of it fit the first-level cache.
const DEPTH: usize = 256;

/// C += A B. Both operands are packed into strips of `TILE` lanes, so the inner loop reads two short contiguous runs.
fn product<T: Real>(a: View<'_, T>, b: View<'_, T>, c: &mut Matrix<T>) {
    let mut packed = vec![T::default(); DEPTH * b.cols.next_multiple_of(TILE)];
    let mut strip = [T::default(); DEPTH * TILE];
    for k0 in (0..a.cols).step_by(DEPTH) {
        let depth = DEPTH.min(a.cols - k0);
        for j0 in (0..b.cols).step_by(TILE) {
            let lanes = TILE.min(b.cols - j0);
            let panel = &mut packed[j0 * DEPTH..][..depth * TILE];
            for (k, out) in panel.chunks_exact_mut(TILE).enumerate() {
                for (lane, x) in out.iter_mut().enumerate() {
                    *x = if lane < lanes { b.get(k0 + k, j0 + lane) } else { T::default() };
                }
            }
        }
        for i0 in (0..a.rows).step_by(TILE) {
            let lanes = TILE.min(a.rows - i0);
            for (k, out) in strip[..depth * TILE].chunks_exact_mut(TILE).enumerate() {
                for (lane, x) in out.iter_mut().enumerate() {
                    *x = if lane < lanes { a.get(i0 + lane, k0 + k) } else { T::default() };
                }
            }
            for j0 in (0..b.cols).step_by(TILE) {
                let tile = tile_product(&strip[..depth * TILE], &packed[j0 * DEPTH..][..depth * TILE]);
                let width = TILE.min(b.cols - j0);
                for (lane, sums) in tile.iter().enumerate().take(lanes) {
                    let row = &mut c.data[(i0 + lane) * b.cols + j0..][..width];
                    row.iter_mut().zip(sums).for_each(|(c, &sum)| *c += sum);
                }
            }
        }
    }
}

/// One square of C from a strip of A and a strip of B.
fn tile_product<T: Real>(a: &[T], b: &[T]) -> [[T; TILE]; TILE] {
    let mut sums = [[T::default(); TILE]; TILE];
    for (a, b) in a.as_chunks::<TILE>().0.iter().zip(b.as_chunks::<TILE>().0) {
        for i in 0..TILE {
            for j in 0..TILE {
                sums[i][j] += a[i] * b[j];
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_the_definition_at_odd_sizes() {
        let mut random = Random::new(1, 0);
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (4, 256, 4), (9, 257, 7), (17, 600, 13)] {
            let a = Matrix::<f64>::normal(m, k, &mut random);
            let b = Matrix::<f64>::normal(k, n, &mut random);
            let c = matmul(&a, &b);
            for i in 0..m {
                for j in 0..n {
                    let sum: f64 = (0..k).map(|l| a.data[i * k + l] * b.data[l * n + j]).sum();
                    assert!((c.data[i * n + j] - sum).abs() < 1e-11, "({m}, {k}, {n}) at ({i}, {j})");
                }
            }
            assert_eq!(matmul_transposed(&a, &b.transposed()), c);
            assert_eq!(transposed_matmul(&a.transposed(), &b), c);
        }
    }
}
