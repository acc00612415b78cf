// The sparse part applied to activations, forward and backward:
//     y[t, i_k] += scale * values[k] * x[t, j_k]        TRANSPOSED: y[t, j_k] += scale * values[k] * x[t, i_k]
// One invocation per token walks over the entries, so entries in one row of the matrix do not collide.
// Joined with common/grid.

override TRANSPOSED: bool = false;

// d_in: columns of the sparse matrix; x_cols and y_cols: columns of the activations.
struct Params { rows: u32, len: u32, d_in: u32, x_cols: u32, y_cols: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;   // (len)
@group(0) @binding(2) var<storage, read> values: array<f32>;    // (len)
@group(0) @binding(3) var<storage, read> x: array<f32>;         // (rows, x_cols)
@group(0) @binding(4) var<storage, read_write> y: array<f32>;   // (rows, y_cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let t = grid_item(group, groups, local, 64u);
    if (t >= params.rows) {
        return;
    }
    for (var k = 0u; k < params.len; k++) {
        let i = indices[k] / params.d_in;
        let j = indices[k] % params.d_in;
        let source = select(j, i, TRANSPOSED);
        let sink = select(i, j, TRANSPOSED);
        y[t * params.y_cols + sink] += params.scale * values[k] * x[t * params.x_cols + source];
    }
}
