// Gradient before an activation.                 d_pre (+)= dy * act'(pre)
// Joined with common/grid, common/activation.

override ACTIVATION: u32 = 1u;
override ACCUMULATE: bool = false;

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pre: array<f32>;          // (len)
@group(0) @binding(2) var<storage, read> dy: array<f32>;           // (len)
@group(0) @binding(3) var<storage, read_write> d_pre: array<f32>;  // (len)

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
    var value = dy[i] * activation_derivative(ACTIVATION, pre[i]);
    if (ACCUMULATE) {
        value += d_pre[i];
    }
    d_pre[i] = value;
}
