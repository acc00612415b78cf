//! First values of what a method adds (`dsee-method` 1.2): A normal with standard deviation 0.02, B and S zero, so that
//! ΔW is exactly zero at step 0.

use crate::nn::plan::DeltaPlan;
use crate::nn::site::Site;
use crate::omega::site_stream;
use crate::random::Random;
use crate::tuning::state::SiteDelta;

/// Standard deviation of A.
pub const A_STANDARD_DEVIATION: f64 = 0.02;

/// Keeps the numbers of A apart from those that search Ω at the same site.
const A_STREAM: u64 = 0xa11c_e5ee;

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
