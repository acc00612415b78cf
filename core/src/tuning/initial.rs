//! First values of what a method adds (`dsee-method` 1.2): A normal with standard deviation 0.02, B and S zero, so that
//! ΔW is exactly zero at step 0; whatever else a method adds says so in its plan.

use crate::checkpoint::HostTensor;
use crate::nn::plan::{AddedPlan, DeltaPlan, FirstValues};
use crate::nn::site::Site;
use crate::omega::site_stream;
use crate::random::Random;
use crate::tuning::state::SiteDelta;

/// Standard deviation of A.
pub const A_STANDARD_DEVIATION: f64 = 0.02;

/// Keeps the numbers of A apart from those that search Ω at the same site.
const A_STREAM: u64 = 0xa11c_e5ee;
/// The same for added parameters, whose names may be those of sites.
const ADDED_STREAM: u64 = 0xadde_d001;

/// The update of `site` before training, its sparse entries at `omega`.
#[must_use]
pub fn initial_delta(site: &Site, plan: DeltaPlan, omega: Vec<u32>, seed: u64) -> SiteDelta {
    assert_eq!(omega.len(), plan.n_nonzero, "Ω of {} has the planned size", site.path);
    let mut random = Random::new(seed, site_stream(&site.path) ^ A_STREAM);
    let mut normal = || (random.normal() * A_STANDARD_DEVIATION) as f32;
    SiteDelta {
        path: site.path.clone(),
        d_out: site.d_out,
        d_in: site.d_in,
        rank: plan.rank,
        scale: plan.scale,
        a: (0..plan.rank * site.d_in).map(|_| normal()).collect(),
        b: vec![0.0; site.d_out * plan.rank],
        s_values: vec![0.0; omega.len()],
        s_indices: omega,
    }
}

/// An added parameter before training.
#[must_use]
pub fn initial_added(name: &str, plan: &AddedPlan, seed: u64) -> HostTensor {
    let mut random = Random::new(seed, site_stream(name) ^ ADDED_STREAM);
    let mut value = || match plan.first {
        FirstValues::Constant(value) => value,
        FirstValues::Normal(standard_deviation) => (random.normal() * standard_deviation) as f32,
        FirstValues::Uniform(bound) => ((2.0 * f64::from(random.uniform()) - 1.0) * bound) as f32,
    };
    HostTensor { shape: plan.shape.clone(), data: (0..plan.n_values()).map(|_| value()).collect() }
}
