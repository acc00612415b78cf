// Sets the pruned entries of a trained weight, or of its gradient, to zero.
// Bit i % 32 of keep[i / 32] says whether entry i is kept. Joined with common/grid.

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keep: array<u32>;          // (ceil(len / 32))
@group(0) @binding(2) var<storage, read_write> values: array<f32>;  // (len)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i >= params.len) {
        return;
    }
    if (((keep[i / 32u] >> (i % 32u)) & 1u) == 0u) {
        values[i] = 0.0;
    }
}
