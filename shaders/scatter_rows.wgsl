// Adds rows to the rows of a table they were gathered from.      d_table[ids[t], :] += d_out[t, :]
// WGSL has no floating-point atomics and runs must repeat bit for bit, so rows with the same number are chained:
// links[t] = (1 if t is the first with its number, next t with the same number or 0xffffffff). The first one adds
// up its chain. Rows of the table that nobody names are left alone. Joined with common/grid.

struct Params { rows: u32, cols: u32, table_start: u32, table_rows: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_out: array<f32>;          // (rows, cols)
@group(0) @binding(2) var<storage, read> ids: array<u32>;            // (rows)
@group(0) @binding(3) var<storage, read> links: array<vec2<u32>>;    // (rows)
@group(0) @binding(4) var<storage, read_write> d_table: array<f32>;  // (table_rows, cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i >= params.rows * params.cols) {
        return;
    }
    var row = i / params.cols;
    let col = i % params.cols;
    let id = ids[row] - params.table_start;
    if (id >= params.table_rows || links[row].x == 0u) {
        return;
    }
    var sum = 0.0;
    for (; row < params.rows; row = links[row].y) {
        sum += d_out[row * params.cols + col];
    }
    d_table[id * params.cols + col] += sum;
}
