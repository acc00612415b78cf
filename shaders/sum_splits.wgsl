// sum_splits: out[i] = Σ_s parts[s·size + i], optionally added to out, i counting vec4s: the second stage of a matrix product
// whose first stage split k. The order of the sum is fixed, so equal inputs give equal bits.
// Grid: ceil(size / 64) workgroups, folded to two dimensions where there are too many.

override ACCUMULATE: bool = false; // out += instead of out =

struct Params {
    size: u32, // vec4s in out
    splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i >= params.size) {
        return;
    }
    var sum = vec4<f32>();
    for (var s = 0u; s < params.splits; s++) {
        sum += parts[s * params.size + i];
    }
    if (ACCUMULATE) {
        sum += out[i];
    }
    out[i] = sum;
}
