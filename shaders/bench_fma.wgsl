// The most multiply-adds the adapter can do: eight independent chains, nothing else.
//     every round, sixteen times: x = x * a + b, y = y * a + b;   out[i] = x + y
// Eight chains hide the latency of an fma. Software adapters keep each number of an invocation in a vector register of
// its own, of which there are sixteen: more chains would be spilt. A round is long, so that its loop costs nothing.
// Joined with common/grid.

struct Params { len: u32, rounds: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;  // (len)

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
    // Depends on the invocation, so that nothing can be computed once for all.
    let start = f32(i % 64u) / 64.0;
    let a = vec4<f32>(0.5 + start / 4.0);
    let b = vec4<f32>(0.25);
    var x = vec4<f32>(start, start + 1.0, start + 2.0, start + 3.0);
    var y = x + 4.0;
    for (var round = 0u; round < params.rounds; round++) {
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
        x = fma(x, a, b);
        y = fma(y, a, b);
    }
    out[i] = x + y;
}
