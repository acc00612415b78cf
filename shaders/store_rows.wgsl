// Rows of a batch to their places in a pool of rows.                pool[ids[t], :] = x[t, :]
// No number may occur twice. One invocation per element of x. Joined with common/grid.

struct Params { rows: u32, cols: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;           // (rows, cols)
@group(0) @binding(2) var<storage, read> ids: array<u32>;         // (rows)
@group(0) @binding(3) var<storage, read_write> pool: array<f32>;  // (pool rows, cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i < params.rows * params.cols) {
        pool[ids[i / params.cols] * params.cols + i % params.cols] = x[i];
    }
}
