// The most multiply-adds the adapter can do: eight independent chains of four, nothing else in the loop.
//     every round: x_c = x_c * a + b   for c in 0..8;   out[i] = sum of the chains
// Eight chains hide the latency of an fma and still fit sixteen vector registers.
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
    let b = vec4<f32>(0.25, 0.375, 0.5, 0.625);
    var x0 = vec4<f32>(start);
    var x1 = x0 + 1.0;
    var x2 = x0 + 2.0;
    var x3 = x0 + 3.0;
    var x4 = x0 + 4.0;
    var x5 = x0 + 5.0;
    var x6 = x0 + 6.0;
    var x7 = x0 + 7.0;
    for (var round = 0u; round < params.rounds; round++) {
        x0 = fma(x0, a, b);
        x1 = fma(x1, a, b);
        x2 = fma(x2, a, b);
        x3 = fma(x3, a, b);
        x4 = fma(x4, a, b);
        x5 = fma(x5, a, b);
        x6 = fma(x6, a, b);
        x7 = fma(x7, a, b);
    }
    out[i] = ((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7));
}
