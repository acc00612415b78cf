//! Finding Ω: the c positions of a pretrained weight whose entries of S are trained (`dsee-method` section 2).
//!
//! Ω depends on the weight, the method, c and the seed only, so it is computed once per matrix and kept.
//! [`device::OmegaFinder`] runs the default method as kernels. [`select_omega`] is the host's version, in f64; it is
//! what the kernels are tested against.

pub mod basis;
pub mod device;
pub mod grebsmo;
pub mod grebsmo_ref;
pub mod linalg;
pub mod schedule;
pub mod select;
pub mod spectrum;
#[cfg(test)]
pub mod synthetic;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::random::Random;
use linalg::Matrix;

/// How Ω is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OmegaMethod {
    /// Low rank plus exactly c entries, by greedy bilateral smoothing; also called `grebsmo-card`.
    #[default]
    #[serde(alias = "grebsmo-card")]
    Grebsmo,
    /// The procedure of the authors' released code, with an exact selection at its end.
    GrebsmoRef,
    /// The largest weights.
    Magnitude,
    /// Uniform without replacement.
    Random,
}

impl OmegaMethod {
    /// Whether the rank of the update decides where the entries go.
    #[must_use]
    pub fn uses_rank(self) -> bool {
        self == Self::Grebsmo
    }

    /// Every method.
    pub const ALL: [Self; 4] = [Self::Grebsmo, Self::GrebsmoRef, Self::Magnitude, Self::Random];

    /// The word for this method in settings and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grebsmo => "grebsmo",
            Self::GrebsmoRef => "grebsmo-ref",
            Self::Magnitude => "magnitude",
            Self::Random => "random",
        }
    }
}

impl fmt::Display for OmegaMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no way to choose Ω.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown omega method \"{0}\": expected grebsmo, grebsmo-ref, magnitude or random")]
pub struct UnknownOmegaMethod(pub String);

impl FromStr for OmegaMethod {
    type Err = UnknownOmegaMethod;

    fn from_str(word: &str) -> Result<Self, UnknownOmegaMethod> {
        let word = if word == "grebsmo-card" { "grebsmo" } else { word };
        Self::ALL
            .into_iter()
            .find(|method| method.name() == word)
            .ok_or_else(|| UnknownOmegaMethod(word.to_owned()))
    }
}

/// Why no Ω came out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OmegaError {
    /// More entries asked for than there are.
    #[error("{n_nonzero} trained entries do not fit a {d_out} x {d_in} matrix of {} entries", d_out * d_in)]
    TooManyEntries {
        /// Entries asked for.
        n_nonzero: usize,
        /// Rows of the weight.
        d_out: usize,
        /// Columns of the weight.
        d_in: usize,
    },
    /// A rank that the matrix cannot have.
    #[error("rank {rank} is outside 1..={} for a {d_out} x {d_in} matrix", d_out.min(d_in))]
    RankOutOfRange {
        /// Rank asked for.
        rank: usize,
        /// Rows of the weight.
        d_out: usize,
        /// Columns of the weight.
        d_in: usize,
    },
    /// A weight with an entry that is not a finite number.
    #[error("the weight is not finite at row {row}, column {column}: load an undamaged checkpoint")]
    NotFinite {
        /// Row of the first such entry.
        row: usize,
        /// Column of the first such entry.
        column: usize,
    },
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] crate::gpu::GpuError),
    /// The caller stopped the search.
    #[error("the search for trained positions was stopped")]
    Interrupted,
}

/// How far a search is; given out after each alternation.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Alternations done, over all ranks.
    pub iterations: usize,
    /// Current rank of U V.
    pub rank: usize,
    /// ‖W − U V − S‖ / ‖W‖.
    pub relative_error: f64,
    /// The c positions if the search ended now, ascending.
    pub support: &'a [u32],
}

/// Told of each alternation; `Break` ends the search.
pub type ProgressFn<'a> = &'a mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

/// The chosen positions of one matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Omega {
    /// Flat row-major positions `out · d_in + in`, ascending, exactly as many as asked for.
    pub indices: Vec<u32>,
    /// Alternations done; 0 for methods that do not iterate.
    pub iterations: usize,
    /// ‖W − U V − S‖ / ‖W‖ at the end; `None` for methods that do not fit the weight.
    pub relative_error: Option<f64>,
}

/// Chooses `n_nonzero` positions of the weight `w`, (d_out, d_in).
///
/// `rank` is the adapter's rank and used by [`OmegaMethod::Grebsmo`] alone. `stream` tells the matrices of one model
/// apart under one `seed`; see [`site_stream`]. With `n_nonzero` 0 the result is empty and nothing is computed.
///
/// # Errors
/// Too many entries, an impossible rank, a weight that is not finite, or a stop by `progress`.
pub fn select_omega(
    w: &[f32],
    (d_out, d_in): (usize, usize),
    n_nonzero: usize,
    rank: usize,
    method: OmegaMethod,
    (seed, stream): (u64, u64),
    progress: ProgressFn<'_>,
) -> Result<Omega, OmegaError> {
    assert_eq!(w.len(), d_out * d_in, "a weight has d_out · d_in entries");
    if n_nonzero == 0 {
        return Ok(Omega::default());
    }
    check(w, (d_out, d_in), n_nonzero, rank, method)?;
    let random = &mut Random::new(seed, stream);
    let matrix = || Matrix::<f64>::from_weight(d_out, d_in, w);
    match method {
        OmegaMethod::Grebsmo => grebsmo::grebsmo(&matrix(), rank, n_nonzero, random, progress),
        OmegaMethod::GrebsmoRef => {
            grebsmo_ref::grebsmo_ref(&matrix(), grebsmo_ref::LEVELS, n_nonzero, random, progress)
        }
        OmegaMethod::Magnitude => Ok(Omega { indices: select::largest(w, n_nonzero), ..Omega::default() }),
        OmegaMethod::Random => Ok(Omega { indices: sample(w.len(), n_nonzero, random), ..Omega::default() }),
    }
}

fn check(
    w: &[f32],
    (d_out, d_in): (usize, usize),
    n_nonzero: usize,
    rank: usize,
    method: OmegaMethod,
) -> Result<(), OmegaError> {
    if n_nonzero > w.len() {
        return Err(OmegaError::TooManyEntries { n_nonzero, d_out, d_in });
    }
    if method == OmegaMethod::Grebsmo && !(1..=d_out.min(d_in)).contains(&rank) {
        return Err(OmegaError::RankOutOfRange { rank, d_out, d_in });
    }
    match w.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(OmegaError::NotFinite { row: i / d_in, column: i % d_in }),
        None => Ok(()),
    }
}

/// `c` different numbers below `n`, uniform, ascending (Floyd's method: c draws, no table of size n).
fn sample(n: usize, c: usize, random: &mut Random) -> Vec<u32> {
    let mut chosen = BTreeSet::new();
    for last in n - c..n {
        let draw = random.below(last as u32 + 1);
        if !chosen.insert(draw) {
            chosen.insert(last as u32);
        }
    }
    chosen.into_iter().collect()
}

/// The random stream of the module at `path`: the same whichever other modules are adapted (FNV-1a).
#[must_use]
pub fn site_stream(path: &str) -> u64 {
    path.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// How many positions two selections share; both ascending.
#[must_use]
pub fn overlap(a: &[u32], b: &[u32]) -> usize {
    a.iter().filter(|i| b.binary_search(i).is_ok()).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn select(
        w: &[f32],
        size: (usize, usize),
        c: usize,
        method: OmegaMethod,
        seed: u64,
    ) -> Result<Omega, OmegaError> {
        select_omega(w, size, c, 4, method, (seed, 1), &mut |_| ControlFlow::Continue(()))
    }

    fn weight(n: usize) -> Vec<f32> {
        let mut random = Random::new(9, 9);
        (0..n).map(|_| random.normal() as f32).collect()
    }

    #[test]
    fn words_and_methods_agree() {
        for method in OmegaMethod::ALL {
            assert_eq!(method.to_string().parse(), Ok(method));
            assert_eq!(serde_json::to_string(&method).unwrap(), format!("\"{method}\""));
        }
        assert_eq!("grebsmo-card".parse(), Ok(OmegaMethod::Grebsmo));
        assert_eq!(serde_json::from_str::<OmegaMethod>("\"grebsmo-card\"").unwrap(), OmegaMethod::Grebsmo);
        assert!("omp".parse::<OmegaMethod>().is_err());
    }

    #[test]
    fn every_method_gives_exactly_c_and_the_same_again() {
        let w = weight(24 * 16);
        for method in OmegaMethod::ALL {
            for c in [0, 1, 16, 384] {
                let omega = select(&w, (24, 16), c, method, 0).unwrap();
                assert_eq!(omega.indices.len(), c, "{method}");
                assert!(omega.indices.windows(2).all(|pair| pair[0] < pair[1]), "{method}");
                assert!(omega.indices.iter().all(|&i| i < 384), "{method}");
                assert_eq!(omega, select(&w, (24, 16), c, method, 0).unwrap(), "{method}");
            }
        }
        let draw = |seed| select(&w, (24, 16), 16, OmegaMethod::Random, seed).unwrap().indices;
        assert!(overlap(&draw(0), &draw(1)) < 8);
    }

    #[test]
    fn magnitude_takes_the_largest() {
        let omega = select(&[0.1, -5.0, 2.0, 3.0], (2, 2), 2, OmegaMethod::Magnitude, 0).unwrap();
        assert_eq!(omega.indices, [1, 3]);
    }

    #[test]
    fn random_positions_are_uniform() {
        let mut counts = [0; 10];
        let mut random = Random::new(0, 0);
        for _ in 0..10_000 {
            sample(10, 3, &mut random).into_iter().for_each(|i| counts[i as usize] += 1);
        }
        assert!(counts.iter().all(|&n| (2850..3150).contains(&n)), "{counts:?}");
    }

    #[test]
    fn impossible_requests_say_why() {
        let mut w = weight(6);
        let error = select(&w, (2, 3), 7, OmegaMethod::Random, 0).unwrap_err();
        assert_eq!(error.to_string(), "7 trained entries do not fit a 2 x 3 matrix of 6 entries");
        let error = select(&w, (2, 3), 1, OmegaMethod::Grebsmo, 0).unwrap_err();
        assert_eq!(error.to_string(), "rank 4 is outside 1..=2 for a 2 x 3 matrix");
        w[4] = f32::NAN;
        let error = select(&w, (2, 3), 1, OmegaMethod::Magnitude, 0).unwrap_err();
        assert_eq!(error, OmegaError::NotFinite { row: 1, column: 1 });
    }

    #[test]
    fn streams_differ_by_path() {
        assert_eq!(site_stream(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(site_stream("a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(site_stream("layer.0.query"), site_stream("layer.1.query"));
    }

    #[test]
    fn overlap_counts_shared_positions() {
        assert_eq!(overlap(&[1, 3, 5], &[0, 3, 5, 9]), 2);
        assert_eq!(overlap(&[], &[1]), 0);
    }
}
