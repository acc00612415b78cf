// Schedule of the matrix products without workgroup memory and subgroups, for CPU adapters: each invocation owns a register
// block of 4·QUADS rows by 4·COLS columns and 8 of them lie side by side, so a workgroup computes 4·QUADS rows by 32·COLS columns.
// Grid: ceil(N / (32·COLS)) by ceil(rows / (4·QUADS)) workgroups; row_start is a multiple of 4·QUADS.

// Arrays are as long as the loops over them: that lets the compiler unroll the loops and keep the arrays in registers.
const QUADS: u32 = 2u;
const COLS: u32 = 2u;

fn left(quad: u32, k: u32) -> mat4x4<f32> {
    return left_block(left_part(quad, k, 0u), left_part(quad, k, 1u), left_part(quad, k, 2u), left_part(quad, k, 3u));
}

fn right(col: u32, k: u32) -> mat4x4<f32> {
    return right_block(right_part(col, k, 0u), right_part(col, k, 1u), right_part(col, k, 2u), right_part(col, k, 3u));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let quad0 = params.row_start / 4u + group.y * QUADS;
    let col0 = group.x * 8u * COLS + lane;
    let steps = k_steps();
    var sum: array<array<mat4x4<f32>, QUADS>, COLS>;
    for (var k = 0u; k < steps; k++) {
        var a: array<mat4x4<f32>, QUADS>;
        for (var q = 0u; q < QUADS; q++) {
            a[q] = left(quad0 + q, k);
        }
        for (var c = 0u; c < COLS; c++) {
            let b = right(col0 + 8u * c, k);
            for (var q = 0u; q < QUADS; q++) {
                sum[c][q] += b * a[q];
            }
        }
    }
    for (var c = 0u; c < COLS; c++) {
        for (var q = 0u; q < QUADS; q++) {
            store_block(quad0 + q, col0 + 8u * c, sum[c][q]);
        }
    }
    if (HAS_FINISH) {
        for (var quad = quad0; quad < quad0 + QUADS; quad++) {
            for (var c = 0u; c < COLS; c++) {
                finish_block(quad, col0 + 8u * c);
            }
        }
    }
}
