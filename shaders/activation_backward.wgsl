// Gradient before an activation.                 d_pre (+)= dy * act'(pre)
// Four elements to an invocation; the last ones may lie past len, in the room that every slice has up to its alignment.
// Joined with common/grid, common/activation.

override ACTIVATION: u32 = 1u;
override ACCUMULATE: bool = false;

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pre: array<vec4<f32>>;          // (len)
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;           // (len)
@group(0) @binding(3) var<storage, read_write> d_pre: array<vec4<f32>>;  // (len)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (4u * i >= params.len) {
        return;
    }
    var value = dy[i] * activation_derivative4(ACTIVATION, pre[i]);
    if (ACCUMULATE) {
        value += d_pre[i];
    }
    d_pre[i] = value;
}
