// First half of a norm: every workgroup adds up the squares of its part.     partials[first + g] = sum of x^2
// Joined with common/grid, common/reduce.

override WORKGROUP_SIZE: u32 = 64u;

// per_group: elements one workgroup handles; first: where this tensor's partial sums begin.
struct Params { len: u32, per_group: u32, first: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;               // (len)
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = grid_workgroup(group, groups);
    let start = index * params.per_group;
    let end = min(start + params.per_group, params.len);
    var sum = 0.0;
    for (var i = start + local; i < end; i += WORKGROUP_SIZE) {
        sum += x[i] * x[i];
    }
    sum = reduce_sum(local, sum);
    if (local == 0u && start < params.len) {
        partials[params.first + index] = sum;
    }
}
