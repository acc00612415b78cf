//! Counter-based random numbers: the value at (seed, stream, index) is a pure function of the three.
//!
//! Nothing is carried from draw to draw, so a resumed run needs no generator state, and the kernels in
//! `shaders/common/random.wgsl` compute the same bits from the same numbers. The mixing function is the
//! 32-bit "lowbias32" finaliser found by Chris Wellons' hash prospector, applied once per key word.

/// Mixes one 32-bit word; a bijection with low bias.
#[must_use]
pub const fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The random word of element `index` in `stream` under `seed`. The shader's `random_u32` is this function.
#[must_use]
pub const fn random_u32(seed: u32, stream: u32, index: u32) -> u32 {
    mix(index ^ mix(stream ^ mix(seed)))
}

/// The same as a number in [0, 1) with 24 random bits.
#[must_use]
pub fn random_uniform(seed: u32, stream: u32, index: u32) -> f32 {
    (random_u32(seed, stream, index) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A sequence of random numbers on the CPU: one stream of one seed, read from the start.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u32,
    stream: u32,
    index: u32,
}

impl Random {
    /// The sequence number `stream` of `seed`. Different streams are independent.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let fold = |x: u64| mix(x as u32) ^ (x >> 32) as u32;
        Self { seed: fold(seed), stream: fold(stream), index: 0 }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let value = random_u32(self.seed, self.stream, self.index);
        self.index = self.index.wrapping_add(1);
        if self.index == 0 {
            // A stream holds 2^32 words; move to the next one instead of repeating.
            self.stream = mix(self.stream.wrapping_add(0x9e37_79b9));
        }
        value
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Standard normal, by Box and Muller from two uniform draws.
    pub fn normal(&mut self) -> f64 {
        // The half step keeps the logarithm away from zero.
        let u = (f64::from(self.next_u32()) + 0.5) / 4_294_967_296.0;
        let v = f64::from(self.next_u32()) / 4_294_967_296.0;
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Uniform in 0..n, without bias (Lemire's method).
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "an empty range has no element to draw");
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(n);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// Puts the items in a uniformly random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u32 + 1) as usize;
            items.swap(i, j);
        }
    }

    /// The numbers 0..n in random order.
    #[must_use]
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        self.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_numbers_other_stream_others() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..8).map(|_| random.next_u32()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn uniform_and_normal_have_their_moments() {
        let mut random = Random::new(42, 0);
        let n = 20_000;
        let mean: f64 = (0..n).map(|_| f64::from(random.uniform())).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 0.01, "mean of uniform draws is {mean}");
        let normals: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn permutation_holds_every_number_once() {
        let mut order = Random::new(7, 7).permutation(1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(i, &x)| i as u32 == x));
    }
}
