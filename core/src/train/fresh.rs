//! Parameters before any training, as transformers begins them: weights normal, biases zero, layer norms one.

use crate::checkpoint::HostTensor;
use crate::omega::site_stream;
use crate::random::Random;

/// The parameter called `name`, weights with this standard deviation. The same seed and name give the same values.
#[must_use]
pub fn fresh_tensor(name: &str, shape: &[usize], standard_deviation: f64, seed: u64) -> HostTensor {
    let n = shape.iter().product();
    let is_vector = shape.len() < 2;
    let data = if is_vector && name.ends_with("bias") {
        vec![0.0; n]
    } else if is_vector {
        // What is no bias and no map is the scale of a layer norm.
        vec![1.0; n]
    } else {
        let mut random = Random::new(seed, site_stream(name));
        (0..n).map(|_| (random.normal() * standard_deviation) as f32).collect()
    };
    HostTensor { shape: shape.to_vec(), data }
}
