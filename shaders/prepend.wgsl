// Rows of a prefix before the rows of a batch.             y = [prefix (n_prefix, cols) ; x (rows, cols)]
// One invocation per element of y. Joined with common/grid.

struct Params { rows: u32, cols: u32, n_prefix: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> prefix: array<f32>;   // (n_prefix, cols)
@group(0) @binding(2) var<storage, read> x: array<f32>;        // (rows, cols)
@group(0) @binding(3) var<storage, read_write> y: array<f32>;  // (n_prefix + rows, cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    let n = params.n_prefix * params.cols;
    if (i < n) {
        y[i] = prefix[i];
    } else if (i < n + params.rows * params.cols) {
        y[i] = x[i - n];
    }
}
