// The gradient of an L1 penalty.                   d_x[i] += weight * sign(x[i]), nothing where x[i] is zero
// One invocation per element. Joined with common/grid.

struct Params { len: u32, weight: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;          // (len)
@group(0) @binding(2) var<storage, read_write> d_x: array<f32>;  // (len)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i < params.len) {
        d_x[i] += params.weight * sign(x[i]);
    }
}
