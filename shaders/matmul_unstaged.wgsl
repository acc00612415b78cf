// Schedule of the matrix products without workgroup memory and subgroups, for CPU adapters: each invocation owns a register
// block of 8 rows by 8 columns and 8 of them lie side by side, so a workgroup computes 8 rows by 64 columns.
// Grid: ceil(N / 64) by ceil(rows / 8) workgroups; row_start is a multiple of 8.

// Blocks of the operands, four vec4 loads each.
fn left(quad: u32, k: u32) -> mat4x4<f32> {
    return left_block(left_part(quad, k, 0u), left_part(quad, k, 1u), left_part(quad, k, 2u), left_part(quad, k, 3u));
}

fn right(col: u32, k: u32) -> mat4x4<f32> {
    return right_block(right_part(col, k, 0u), right_part(col, k, 1u), right_part(col, k, 2u), right_part(col, k, 3u));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let quad0 = params.row_start / 4u + group.y * 2u;
    let quad1 = quad0 + 1u;
    let col0 = group.x * 16u + lane;
    let col1 = col0 + 8u;
    let range = k_range();
    // Four blocks of sums by name: an array indexed by a loop would leave the registers under many compilers.
    var s00 = mat4x4<f32>();
    var s01 = mat4x4<f32>();
    var s10 = mat4x4<f32>();
    var s11 = mat4x4<f32>();
    for (var k = range.x; k < range.y; k++) {
        // Sixteen vec4 loads for 256 multiplications per invocation; the second column comes late to shorten register lifetimes.
        let a0 = left(quad0, k);
        let a1 = left(quad1, k);
        let b0 = right(col0, k);
        s00 += b0 * a0;
        s10 += b0 * a1;
        let b1 = right(col1, k);
        s01 += b1 * a0;
        s11 += b1 * a1;
    }
    store_block(quad0, col0, s00);
    store_block(quad0, col1, s01);
    store_block(quad1, col0, s10);
    store_block(quad1, col1, s11);
}
