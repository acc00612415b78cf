//! Matrices whose making is known: smooth low-rank waves, and spikes planted into them.

use crate::omega::linalg::{Matrix, matmul};
use crate::random::Random;

/// What a matrix is mostly made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Many waves, no spike.
    Smooth,
    /// One wave and many spikes.
    Spiky,
    /// Some of both.
    #[default]
    Mixed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Smooth, Self::Spiky, Self::Mixed];

    /// One word, as in links.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smooth => "smooth",
            Self::Spiky => "spiky",
            Self::Mixed => "mixed",
        }
    }

    /// Waves and spikes of a matrix with side [`Planted::SIDE`].
    const fn recipe(self) -> (usize, usize) {
        match self {
            Self::Smooth => (5, 0),
            Self::Spiky => (1, 160),
            Self::Mixed => (3, 48),
        }
    }
}

/// A matrix with known parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Planted {
    /// The matrix, square.
    pub w: Matrix<f64>,
    /// Rank of its smooth part.
    pub n_waves: usize,
    /// Flat positions of the spikes, ascending.
    pub spikes: Vec<u32>,
}

/// Standard deviation of the noise on every entry.
const NOISE: f64 = 0.03;

impl Planted {
    /// Rows and columns.
    pub const SIDE: usize = 24;

    /// The matrix of the first lesson: three waves and twelve spikes.
    #[must_use]
    pub fn outliers(seed: u64) -> Self {
        Self::new((Self::SIDE, 3), 12, 1.2, seed)
    }

    /// The matrix of the second lesson: its rank is reached in three levels, and its spikes are modest, so that a
    /// first guess at their positions is partly wrong.
    #[must_use]
    pub fn hidden(seed: u64) -> Self {
        Self::new((32, 10), 16, 0.5, seed)
    }

    /// The matrix of the budget game.
    #[must_use]
    pub fn of_kind(kind: Kind, seed: u64) -> Self {
        let (n_waves, n_spikes) = kind.recipe();
        Self::new((Self::SIDE, n_waves), n_spikes, 1.2, seed)
    }

    /// `n_waves` products of two waves, each weaker than the one before, noise, and `n_spikes` spikes of random sign,
    /// `strength` to twice that in size. The waves together have entries of standard deviation 0.6.
    #[must_use]
    pub fn new((side, n_waves): (usize, usize), n_spikes: usize, strength: f64, seed: u64) -> Self {
        let mut random = Random::new(seed, (side * 1000 + n_waves * 10) as u64);
        let mut left = waves(n_waves, side, &mut random);
        let right = waves(n_waves, side, &mut random);
        for (i, row) in left.data.chunks_exact_mut(side).enumerate() {
            row.iter_mut().for_each(|x| *x *= 0.85f64.powi(i as i32));
        }
        let mut w = matmul(&left.transposed(), &right);
        let spread = w.norm() / side as f64;
        w.data.iter_mut().for_each(|x| *x = *x / spread * 0.6 + NOISE * random.normal());
        let mut spikes = random.permutation(side * side);
        spikes.truncate(n_spikes);
        spikes.sort_unstable();
        for &i in &spikes {
            let size = strength * (1.0 + f64::from(random.uniform()));
            w.data[i as usize] += if random.below(2) == 0 { size } else { -size };
        }
        Self { w, n_waves, spikes }
    }

    /// How many of `positions` are spikes; both ascending.
    #[must_use]
    pub fn hits(&self, positions: &[u32]) -> usize {
        crate::omega::overlap(positions, &self.spikes)
    }
}

/// `k` sine waves of length `n` as rows, with rising frequencies and random phases.
fn waves(k: usize, n: usize, random: &mut Random) -> Matrix<f64> {
    let mut out = Matrix::zeros(k, n);
    for (i, row) in out.data.chunks_exact_mut(n).enumerate() {
        let phase = std::f64::consts::TAU * f64::from(random.uniform());
        let turns = 0.6 + 0.45 * i as f64 + 0.4 * f64::from(random.uniform());
        for (j, x) in row.iter_mut().enumerate() {
            *x = (std::f64::consts::TAU * turns * j as f64 / n as f64 + phase).sin();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_matrix_and_another_seed_another() {
        assert_eq!(Planted::outliers(1), Planted::outliers(1));
        assert_ne!(Planted::outliers(1), Planted::outliers(2));
    }

    #[test]
    fn spikes_are_where_they_are_said_to_be() {
        let with = Planted::outliers(1);
        let without = Planted::new((Planted::SIDE, 3), 0, 1.2, 1);
        for i in 0..with.w.data.len() {
            let is_spike = with.spikes.binary_search(&(i as u32)).is_ok();
            let change = (with.w.data[i] - without.w.data[i]).abs();
            assert_eq!(change > 1.0, is_spike, "entry {i} changed by {change}");
        }
        assert_eq!(with.hits(&with.spikes), 12);
        assert_eq!(with.hits(&[]), 0);
    }
}
