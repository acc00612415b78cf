// Adds the sparse part to a weight.        weight[indices[k]] += scale * values[k]
// Positions are distinct, so no two invocations meet. Joined with common/grid.

struct Params { len: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;       // (len), flat row-major
@group(0) @binding(2) var<storage, read> values: array<f32>;        // (len)
@group(0) @binding(3) var<storage, read_write> weight: array<f32>;  // (rows, cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let k = grid_item(group, groups, local, 64u);
    if (k < params.len) {
        weight[indices[k]] += params.scale * values[k];
    }
}
