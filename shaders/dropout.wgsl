// Dropout, forward and backward alike:       y[i] (+)= x[i] / (1 - rate) where random(seed, stream, i) >= rate, else 0
// The mask is a function of its numbers and never stored. Joined with common/grid, common/random.

override ACCUMULATE: bool = false;

struct Params { len: u32, seed: u32, stream: u32, rate: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;        // (len)
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // (len)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i >= params.len) {
        return;
    }
    var value = 0.0;
    if (random_uniform(params.seed, params.stream, i) >= params.rate) {
        value = x[i] / (1.0 - params.rate);
    }
    if (ACCUMULATE) {
        value += y[i];
    }
    y[i] = value;
}
