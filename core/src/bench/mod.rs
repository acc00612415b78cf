//! What the adapter can do, and how much of it the kernels and whole training steps reach.

pub mod profile;
pub mod step;
pub mod timing;

use serde::Serialize;

/// The clocks of the platform.
pub trait Clock {
    /// Seconds since some moment.
    fn wall(&self) -> f64;

    /// Processor seconds of the whole process, all threads together, where the platform tells. On a software adapter
    /// they repeat within a few percent under load, where wall time does not.
    fn cpu(&self) -> Option<f64>;
}

/// Which clock figures are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Processor seconds of the process, for adapters that are software.
    Cpu,
    /// The wall clock.
    Wall,
}

impl Basis {
    /// The samples of this clock.
    #[must_use]
    pub fn of(self, samples: &timing::Samples) -> &[f64] {
        match self {
            Self::Cpu => &samples.cpu,
            Self::Wall => &samples.wall,
        }
    }
}
