// Adds one tensor to another in place.           y[i] += scale * x[i]
// Four elements to an invocation; those past len stay as they are.
// Joined with common/grid.

struct Params { len: u32, scale: f32 }

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
    if (4u * i < params.len) {
        let places = 4u * i + vec4<u32>(0u, 1u, 2u, 3u);
        y[i] = select(y[i], y[i] + params.scale * x[i], places < vec4<u32>(params.len));
    }
}
