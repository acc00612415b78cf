// Counter-based random numbers: the value at (seed, stream, index) is a pure function of the three.
// The same bits as core/src/random.rs, so a mask drawn here can be drawn again on the CPU.

// Mixes one word; a bijection with low bias ("lowbias32").
fn random_mix(word: u32) -> u32 {
    var x = word;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

// The random word of element `index` in `stream` under `seed`.
fn random_u32(seed: u32, stream: u32, index: u32) -> u32 {
    return random_mix(index ^ random_mix(stream ^ random_mix(seed)));
}

// Uniform in [0, 1) with 24 random bits, so that every value is exact in f32.
fn random_uniform(seed: u32, stream: u32, index: u32) -> f32 {
    return f32(random_u32(seed, stream, index) >> 8u) * (1.0 / 16777216.0);
}
