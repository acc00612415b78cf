// Forward substitution with a Cholesky factor, in place.        rows = L^-1 rows
// One invocation per column. Joined with common/grid.

override SIZE: u32 = 16u; // A constant for the reason given in cholesky_factor.

struct Params { cols: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factor: array<f32>;          // (SIZE, SIZE), lower triangle
@group(0) @binding(2) var<storage, read_write> rows: array<f32>;      // (SIZE, cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let col = grid_item(group, groups, local, 64u);
    if (col >= params.cols) {
        return;
    }
    for (var i = 0u; i < SIZE; i++) {
        var value = rows[i * params.cols + col];
        for (var p = 0u; p < i; p++) {
            value -= factor[i * SIZE + p] * rows[p * params.cols + col];
        }
        rows[i * params.cols + col] = value / factor[i * SIZE + i];
    }
}
