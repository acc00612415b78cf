//! GreBsmo sweep by sweep: a recording of the real search.

use std::ops::ControlFlow;

use super::{Planted, Split};
use crate::omega::grebsmo::grebsmo_sweeps;
use crate::random::Random;

/// One alternation.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepPicture {
    /// L, S and the rest after it.
    pub split: Split,
    /// Rank of L.
    pub rank: usize,
    /// Positions of S that are planted spikes.
    pub hits: usize,
    /// Positions of S that were not in it one sweep before.
    pub n_new: usize,
}

/// A search from its first alternation to its last.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweeps {
    /// The alternations in order; never empty.
    pub pictures: Vec<SweepPicture>,
}

impl Sweeps {
    /// Records the search for as many entries as there are spikes, with the rank of the smooth part.
    ///
    /// `seed` starts the search, not the matrix.
    #[must_use]
    pub fn record(planted: &Planted, seed: u64) -> Self {
        let mut pictures: Vec<SweepPicture> = Vec::new();
        let n_entries = planted.spikes.len();
        // The onlooker never breaks, so the search comes to its end.
        let _ =
            grebsmo_sweeps(&planted.w, planted.n_waves, n_entries, &mut Random::new(seed, 0), &mut |sweep| {
                let (rank, support) = (sweep.progress.rank, sweep.progress.support);
                let before = pictures.last().map_or(&[][..], |last| &last.split.support);
                let n_new = support.len() - crate::omega::overlap(support, before);
                let split = Split::from_residual(&planted.w, rank, sweep.residual, support.to_vec());
                pictures.push(SweepPicture { split, rank, hits: planted.hits(support), n_new });
                ControlFlow::Continue(())
            });
        Self { pictures }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::omega::grebsmo::grebsmo;

    #[test]
    fn the_recording_ends_where_the_search_ends() {
        for seed in 1..=3 {
            let planted = Planted::hidden(seed);
            let sweeps = Sweeps::record(&planted, 0);
            let (rank, c) = (planted.n_waves, planted.spikes.len());
            let found =
                grebsmo(&planted.w, rank, c, &mut Random::new(0, 0), &mut |_| ControlFlow::Continue(()))
                    .unwrap();
            let last = sweeps.pictures.last().unwrap();
            assert_eq!(last.split.support, found.indices);
            assert_eq!(sweeps.pictures.len(), found.iterations);
            assert!((last.split.error - found.relative_error.unwrap()).abs() < 1e-12);
        }
    }

    /// The claim of lesson 2: the first guess is partly wrong, the search corrects it.
    #[test]
    fn hits_rise_from_a_bad_guess_to_all_spikes() {
        let planted = Planted::hidden(1);
        let hits: Vec<usize> = Sweeps::record(&planted, 0).pictures.iter().map(|p| p.hits).collect();
        println!("hits by sweep: {hits:?}");
        assert!(hits[0] < planted.spikes.len() && *hits.last().unwrap() == planted.spikes.len(), "{hits:?}");
        assert!(hits.len() >= 6, "{} sweeps are too few to watch", hits.len());
    }
}
