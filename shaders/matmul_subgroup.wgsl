// Schedule of the matrix products for CPU adapters with subgroups of exactly 8 invocations (lavapipe).
// One subgroup computes 8·OCTETS rows by 32·COLS columns. Each invocation owns COLS vec4 columns of every row. The left operand
// is loaded once per subgroup, a vec4 by each invocation, and broadcast, because a CPU gathers vector loads lane by lane.
// Grid: ceil(N / (32·COLS)) by ceil(rows / (8·OCTETS)) workgroups; row_start is a multiple of 8·OCTETS.

// Arrays are as long as the loops over them: that lets the compiler unroll the loops and keep the arrays in registers.
const OCTETS: u32 = 4u;
const COLS: u32 = 1u;

fn right(col: u32, k: u32) -> mat4x4<f32> {
    return right_block(right_part(col, k, 0u), right_part(col, k, 1u), right_part(col, k, 2u), right_part(col, k, 3u));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let quad0 = params.row_start / 4u + group.y * 2u * OCTETS;
    let col0 = group.x * 8u * COLS + lane;
    let steps = k_steps();
    var upper: array<array<mat4x4<f32>, OCTETS>, COLS>; // rows 0 to 3 of each octet
    var lower: array<array<mat4x4<f32>, OCTETS>, COLS>; // rows 4 to 7
    for (var k = 0u; k < steps; k++) {
        var b: array<mat4x4<f32>, COLS>;
        for (var c = 0u; c < COLS; c++) {
            b[c] = right(col0 + 8u * c, k);
        }
        for (var o = 0u; o < OCTETS; o++) {
            let own = left_part(quad0 + 2u * o + lane / 4u, k, lane % 4u);
            let a0 = left_block(
                subgroupBroadcast(own, 0u), subgroupBroadcast(own, 1u),
                subgroupBroadcast(own, 2u), subgroupBroadcast(own, 3u),
            );
            let a1 = left_block(
                subgroupBroadcast(own, 4u), subgroupBroadcast(own, 5u),
                subgroupBroadcast(own, 6u), subgroupBroadcast(own, 7u),
            );
            for (var c = 0u; c < COLS; c++) {
                upper[c][o] += b[c] * a0;
                lower[c][o] += b[c] * a1;
            }
        }
    }
    for (var c = 0u; c < COLS; c++) {
        for (var o = 0u; o < OCTETS; o++) {
            store_block(quad0 + 2u * o, col0 + 8u * c, upper[c][o]);
            store_block(quad0 + 2u * o + 1u, col0 + 8u * c, lower[c][o]);
        }
    }
    if (HAS_FINISH) {
        for (var quad = quad0; quad < quad0 + 2u * OCTETS; quad++) {
            for (var c = 0u; c < COLS; c++) {
                finish_block(quad, col0 + 8u * c);
            }
        }
    }
}
