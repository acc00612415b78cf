// Schedule of the matrix products through workgroup memory, for real GPUs: SIDE·SIDE invocations compute a tile of 4·SIDE rows
// by 4·SIDE columns, a 4 by 4 block each, and walk along k by SIDE values at a time.
// SIDE = 8 (64 invocations, 32 by 32) suits every GPU; SIDE = 16 (256 invocations, 64 by 64) large products on desktop ones.
// Grid: ceil(N / (4·SIDE)) by ceil(rows / (4·SIDE)) workgroups; row_start is a multiple of 4·SIDE.

override SIDE: u32 = 8u;
override STEP: u32 = SIDE / 4u; // vec4 steps of k held at a time: with it each invocation stages one part of either operand
override PITCH: u32 = SIDE + 1u; // one more than a line of parts, against bank conflicts

var<workgroup> left_tile: array<vec4<f32>, SIDE * PITCH>;
var<workgroup> right_tile: array<vec4<f32>, SIDE * PITCH>;

// Which part invocation `index` stages: (block along the side, step of k, number in the block), in the order of memory.
fn staged_part(index: u32, along_k: bool) -> vec3<u32> {
    if (along_k) {
        return vec3<u32>(index / (4u * STEP), index % STEP, index / STEP % 4u);
    }
    return vec3<u32>(index % SIDE, index / (4u * SIDE), index / SIDE % 4u);
}

@compute @workgroup_size(SIDE * SIDE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let quad0 = params.row_start / 4u + group.y * SIDE;
    let col0 = group.x * SIDE;
    let own_quad = index / SIDE;
    let own_col = index % SIDE;
    let l = staged_part(index, LEFT_ALONG_K);
    let r = staged_part(index, RIGHT_ALONG_K);
    let range = k_range();
    var sum = mat4x4<f32>();
    for (var k0 = range.x; k0 < range.y; k0 += STEP) {
        // Past the last step the left parts are zero and the right ones repeat, so that every barrier is reached by all.
        let left_value = left_part(quad0 + l.x, min(k0 + l.y, range.y - 1u), l.z);
        left_tile[(4u * l.y + l.z) * PITCH + l.x] = select(vec4<f32>(), left_value, k0 + l.y < range.y);
        right_tile[(4u * r.y + r.z) * PITCH + r.x] = right_part(col0 + r.x, min(k0 + r.y, range.y - 1u), r.z);
        workgroupBarrier();
        // Eight vec4 reads of workgroup memory for 64 multiplications.
        for (var s = 0u; s < STEP; s++) {
            let a = 4u * s * PITCH + own_quad;
            let b = 4u * s * PITCH + own_col;
            let left = left_block(
                left_tile[a], left_tile[a + PITCH], left_tile[a + 2u * PITCH], left_tile[a + 3u * PITCH],
            );
            let right = right_block(
                right_tile[b], right_tile[b + PITCH], right_tile[b + 2u * PITCH], right_tile[b + 3u * PITCH],
            );
            sum += right * left;
        }
        workgroupBarrier();
    }
    store_block(quad0 + own_quad, col0 + own_col, sum);
    if (HAS_FINISH) {
        finish_block(quad0 + own_quad, col0 + own_col);
    }
}
