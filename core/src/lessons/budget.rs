//! The budget game: the same count of numbers, spent on rank or on single entries.

use super::Split;
use crate::omega::linalg::Matrix;

/// One way to spend the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetPoint {
    /// Rank of L.
    pub rank: usize,
    /// Entries of S.
    pub n_entries: usize,
    /// ‖W − L − S‖ / ‖W‖.
    pub error: f64,
}

/// All ways to spend one budget on one matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Numbers to spend.
    pub n_parameters: usize,
    /// From rank 0 up; never empty.
    pub points: Vec<BudgetPoint>,
}

impl Budget {
    /// Fits the matrix in each way. Whatever a rank does not use goes to entries.
    #[must_use]
    pub fn spend(w: &Matrix<f64>, n_parameters: usize) -> Self {
        let a_rank = w.rows + w.cols;
        let points = (0..=n_parameters / a_rank).map(|rank| {
            let n_entries = n_parameters - rank * a_rank;
            BudgetPoint { rank, n_entries, error: Split::new(w, rank, n_entries).error }
        });
        Self { n_parameters, points: points.collect() }
    }

    /// The place of the smallest error in `points`; the lowest rank among equals.
    #[must_use]
    pub fn best(&self) -> usize {
        let mut best = 0;
        for (i, point) in self.points.iter().enumerate() {
            if point.error < self.points[best].error {
                best = i;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lessons::{Kind, Planted};

    const BUDGET: usize = 240;

    #[test]
    fn every_point_costs_the_same_and_the_best_is_the_smallest() {
        let budget = Budget::spend(&Planted::of_kind(Kind::Mixed, 1).w, BUDGET);
        assert_eq!(budget.points.len(), 6);
        assert!(budget.points.iter().all(|p| p.rank * 48 + p.n_entries == BUDGET));
        let best = budget.points[budget.best()].error;
        assert!(budget.points.iter().all(|p| p.error >= best));
    }

    /// The claim of lesson 3: where the best is depends on the matrix.
    #[test]
    fn smooth_wants_rank_spiky_wants_entries_and_mixed_wants_both() {
        for seed in 1..=5 {
            let best = Kind::ALL.map(|kind| {
                let budget = Budget::spend(&Planted::of_kind(kind, seed).w, BUDGET);
                println!("{seed} {kind:?} {:?}", budget.points.iter().map(|p| p.error).collect::<Vec<_>>());
                budget.points[budget.best()].rank
            });
            assert!(best[0] >= 4, "seed {seed}: nearly all on rank");
            assert!(best[1] <= 1, "seed {seed}: nearly all on entries");
            assert!((2..=4).contains(&best[2]), "seed {seed}: both");
        }
    }
}
