//! Weights with known spikes, to check selectors against (`dsee-method` 2.5). Tests only.

use super::basis::orthonormal_rows;
use super::linalg::{Matrix, matmul, transposed_matmul};
use crate::random::Random;

/// Standard deviation of the noise in the first matrix.
pub const NOISE: f64 = 0.01;
/// Standard deviation of the entries of the smooth part.
const SIGMA: f64 = 0.04;
/// Spikes per matrix.
const N_SPIKES: usize = 16;

/// One synthetic weight.
pub struct Case {
    /// Which row of the table it is.
    pub name: &'static str,
    /// The weight, square.
    pub w: Matrix<f64>,
    /// Flat positions of the spikes, ascending.
    pub spikes: Vec<u32>,
    /// Spikes of ±0.15…0.25, which magnitude mostly misses, instead of ±0.3…0.5.
    pub spikes_are_small: bool,
}

/// The five rows of the table at side `n`.
pub fn five(n: usize) -> Vec<Case> {
    let random = &mut Random::new(20, n as u64);
    let low_rank = low_rank(n, random);
    let basis =
        (orthonormal_rows(&Matrix::normal(n, n, random)), orthonormal_rows(&Matrix::normal(n, n, random)));
    let (slow, fast) = (power_law(&basis, -0.3), power_law(&basis, -0.6));
    vec![
        spiked("rank 16 + noise 0.01", with_noise(&low_rank, NOISE, random), false, random),
        spiked("rank 16 + noise 0.03", with_noise(&low_rank, 0.03, random), false, random),
        spiked("full rank, exponent -0.3", slow, false, random),
        spiked("full rank, exponent -0.6", fast.clone(), false, random),
        spiked("full rank, exponent -0.6, small spikes", fast, true, random),
    ]
}

/// How many of `spikes` were found; both ascending.
pub fn hits(found: &[u32], spikes: &[u32]) -> usize {
    super::overlap(found, spikes)
}

/// U V with 16 Gaussian columns, entries of standard deviation `SIGMA`.
fn low_rank(n: usize, random: &mut Random) -> Matrix<f64> {
    let mut w = matmul(&Matrix::normal(n, 16, random), &Matrix::normal(16, n, random));
    w.data.iter_mut().for_each(|x| *x *= SIGMA / 4.0);
    w
}

fn with_noise(w: &Matrix<f64>, noise: f64, random: &mut Random) -> Matrix<f64> {
    Matrix { rows: w.rows, cols: w.cols, data: w.data.iter().map(|x| x + noise * random.normal()).collect() }
}

/// A matrix with random singular vectors and singular values in proportion to i^exponent.
fn power_law((left, right): &(Matrix<f64>, Matrix<f64>), exponent: f64) -> Matrix<f64> {
    let n = left.rows;
    let mut scaled = right.clone();
    for (i, row) in scaled.data.chunks_exact_mut(n).enumerate() {
        let sigma = ((i + 1) as f64).powf(exponent);
        row.iter_mut().for_each(|x| *x *= sigma);
    }
    let scale = SIGMA * n as f64 / scaled.norm();
    scaled.data.iter_mut().for_each(|x| *x *= scale);
    transposed_matmul(left, &scaled)
}

/// Adds spikes of random sign at random places.
fn spiked(name: &'static str, mut w: Matrix<f64>, spikes_are_small: bool, random: &mut Random) -> Case {
    let mut spikes = random.permutation(w.data.len());
    spikes.truncate(N_SPIKES);
    spikes.sort_unstable();
    let (low, width) = if spikes_are_small { (0.15, 0.1) } else { (0.3, 0.2) };
    for &i in &spikes {
        let size = low + width * f64::from(random.uniform());
        w.data[i as usize] += if random.below(2) == 0 { size } else { -size };
    }
    Case { name, w, spikes, spikes_are_small }
}
