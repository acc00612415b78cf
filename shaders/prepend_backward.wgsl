// The gradient of one of the two parts that prepend joined.           d_part[i] (+)= dy[start + i]
// One invocation per element of the part. Joined with common/grid.

override ACCUMULATE: bool = false;

struct Params { len: u32, start: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;            // (start + len, at least)
@group(0) @binding(2) var<storage, read_write> d_part: array<f32>;  // (len)

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
    var value = dy[params.start + i];
    if (ACCUMULATE) {
        value += d_part[i];
    }
    d_part[i] = value;
}
