// The most memory the adapter can move: every invocation reads and writes four numbers.
// Joined with common/grid.

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;        // (len)
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;  // (len)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i < params.len) {
        y[i] = x[i];
    }
}
