// Moves the chosen entries between the residual and the sparse part while searching for trained positions.
//   d = w - s,  r = w - u v;  for every chosen entry: s = r, so d = w - r, and r = 0
// With RESTORE the entries leave the sparse part instead: d = w.
// One invocation per chosen entry. Joined with common/grid.

override RESTORE: bool = false;

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;         // (len), distinct
@group(0) @binding(2) var<storage, read> w: array<f32>;               // (rows, cols)
@group(0) @binding(3) var<storage, read_write> d: array<f32>;         // (rows, cols)
@group(0) @binding(4) var<storage, read_write> r: array<f32>;         // (rows, cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let k = grid_item(group, groups, local, 64u);
    if (k >= params.len) {
        return;
    }
    let i = indices[k];
    if (RESTORE) {
        d[i] = w[i];
    } else {
        d[i] = w[i] - r[i];
        r[i] = 0.0;
    }
}
