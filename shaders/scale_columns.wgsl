// Columns times trained coefficients.                   y[t, j] (+)= x[t, j] * coefficients[j / group]
// Backward with respect to x is the same with dy in place of x. One invocation per element. Joined with common/grid.

override ACCUMULATE: bool = false;

struct Params { rows: u32, cols: u32, group: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;             // (rows, cols)
@group(0) @binding(2) var<storage, read> coefficients: array<f32>;  // (cols / group)
@group(0) @binding(3) var<storage, read_write> y: array<f32>;       // (rows, cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(workgroup, workgroups, local, 64u);
    if (i >= params.rows * params.cols) {
        return;
    }
    var value = x[i] * coefficients[i % params.cols / params.group];
    if (ACCUMULATE) {
        value += y[i];
    }
    y[i] = value;
}
