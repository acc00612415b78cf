// Schedule of the matrix products for CPU adapters with subgroups of exactly 8 invocations (lavapipe).
// One subgroup computes 8·OCTETS rows by 32·COLS columns. Each invocation owns COLS vec4 columns of every row. The left operand
// is loaded once per subgroup, a vec4 by each invocation, and broadcast, because a CPU gathers vector loads lane by lane.
// Grid: ceil(N / (32·COLS)) by ceil(rows / (8·OCTETS)) workgroups; row_start is a multiple of 8·OCTETS.

override OCTETS: u32 = 4u; // 1, 2 or 4
override COLS: u32 = 1u; // 1 or 2; 2 is a tenth quicker and compiles twice as long

// The four parts of one block, loaded by the invocation itself: its columns are its own.
fn right(col: u32, k: u32) -> mat4x4<f32> {
    return right_block(right_part(col, k, 0u), right_part(col, k, 1u), right_part(col, k, 2u), right_part(col, k, 3u));
}

// The first quad of an octet, out of the parts its first four invocations loaded.
fn upper(own: vec4<f32>) -> mat4x4<f32> {
    return left_block(
        subgroupBroadcast(own, 0u), subgroupBroadcast(own, 1u), subgroupBroadcast(own, 2u), subgroupBroadcast(own, 3u),
    );
}

// The second quad, out of the parts of the other four.
fn lower(own: vec4<f32>) -> mat4x4<f32> {
    return left_block(
        subgroupBroadcast(own, 4u), subgroupBroadcast(own, 5u), subgroupBroadcast(own, 6u), subgroupBroadcast(own, 7u),
    );
}

// Writes a block of each column the invocation owns.
fn store_row(quad: u32, col: u32, first: mat4x4<f32>, second: mat4x4<f32>) {
    store_block(quad, col, first);
    if (COLS > 1u) {
        store_block(quad, col + 8u, second);
    }
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let quad0 = params.row_start / 4u + group.y * 2u * OCTETS;
    let col0 = group.x * 8u * COLS + lane;
    // Of each octet of rows the invocation loads part lane % 4 of quad lane / 4.
    let part_quad = quad0 + lane / 4u;
    let part = lane % 4u;
    let range = k_range();
    // Named sums, one per quad of rows, stay in registers under every compiler; s belongs to the first column, t to the second.
    var s0 = mat4x4<f32>(); var s1 = mat4x4<f32>(); var s2 = mat4x4<f32>(); var s3 = mat4x4<f32>();
    var s4 = mat4x4<f32>(); var s5 = mat4x4<f32>(); var s6 = mat4x4<f32>(); var s7 = mat4x4<f32>();
    var t0 = mat4x4<f32>(); var t1 = mat4x4<f32>(); var t2 = mat4x4<f32>(); var t3 = mat4x4<f32>();
    var t4 = mat4x4<f32>(); var t5 = mat4x4<f32>(); var t6 = mat4x4<f32>(); var t7 = mat4x4<f32>();
    for (var k = range.x; k < range.y; k++) {
        // Conditions on overrides are settled at compile time; what a smaller tile does not use falls away.
        let b = right(col0, k);
        var d = mat4x4<f32>();
        if (COLS > 1u) {
            d = right(col0 + 8u, k);
        }
        let own0 = left_part(part_quad, k, part);
        let a0 = upper(own0);
        let a1 = lower(own0);
        s0 += b * a0;
        s1 += b * a1;
        if (COLS > 1u) {
            t0 += d * a0;
            t1 += d * a1;
        }
        if (OCTETS > 1u) {
            let own1 = left_part(part_quad + 2u, k, part);
            let a2 = upper(own1);
            let a3 = lower(own1);
            s2 += b * a2;
            s3 += b * a3;
            if (COLS > 1u) {
                t2 += d * a2;
                t3 += d * a3;
            }
        }
        if (OCTETS > 2u) {
            let own2 = left_part(part_quad + 4u, k, part);
            let own3 = left_part(part_quad + 6u, k, part);
            let a4 = upper(own2);
            let a5 = lower(own2);
            let a6 = upper(own3);
            let a7 = lower(own3);
            s4 += b * a4;
            s5 += b * a5;
            s6 += b * a6;
            s7 += b * a7;
            if (COLS > 1u) {
                t4 += d * a4;
                t5 += d * a5;
                t6 += d * a6;
                t7 += d * a7;
            }
        }
    }
    store_row(quad0, col0, s0, t0);
    store_row(quad0 + 1u, col0, s1, t1);
    if (OCTETS > 1u) {
        store_row(quad0 + 2u, col0, s2, t2);
        store_row(quad0 + 3u, col0, s3, t3);
    }
    if (OCTETS > 2u) {
        store_row(quad0 + 4u, col0, s4, t4);
        store_row(quad0 + 5u, col0, s5, t5);
        store_row(quad0 + 6u, col0, s6, t6);
        store_row(quad0 + 7u, col0, s7, t7);
    }
}
