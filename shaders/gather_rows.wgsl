// Rows of a table picked by number.                      out[t, :] (+)= table[ids[t], :]
// The table may be one part of a larger one that exceeds the binding limit: rows outside the part count as zero.
// One invocation per element of out. Joined with common/grid.

override ACCUMULATE: bool = false;

struct Params { rows: u32, cols: u32, table_start: u32, table_rows: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>;      // (table_rows, cols)
@group(0) @binding(2) var<storage, read> ids: array<u32>;        // (rows)
@group(0) @binding(3) var<storage, read_write> out: array<f32>;  // (rows, cols)

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
    let row = i / params.cols;
    let id = ids[row] - params.table_start; // Wraps to a large number below the part.
    var value = 0.0;
    if (id < params.table_rows) {
        value = table[id * params.cols + i % params.cols];
    }
    if (ACCUMULATE) {
        value += out[i];
    }
    out[i] = value;
}
