//! The computations behind the lessons: small matrices with known spikes, taken apart in front of the pupil.
//!
//! Everything here is seeded, in f64 on the host, and takes a fraction of a millisecond to a few milliseconds, so a
//! window may call it while it draws. The algorithm is the one that runs have: [`crate::omega::grebsmo`].

mod budget;
mod planted;
mod split;
mod sweeps;

pub use budget::{Budget, BudgetPoint};
pub use planted::{Kind, Planted};
pub use split::Split;
pub use sweeps::{SweepPicture, Sweeps};

pub use crate::omega::linalg::Matrix;
