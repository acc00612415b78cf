// Schedule of matmul_nt and matmul_nn for CPU adapters with subgroups of exactly 8 invocations (lavapipe).
// One subgroup computes 8·OCTETS rows by 32·COLS columns. Each invocation owns COLS vec4 columns of every row; a row of the
// left operand is loaded by one invocation and broadcast, because a CPU gathers vector loads one lane at a time.
// Arrays are as long as the loops over them, which lets the compiler unroll the loops and keep the arrays in registers.

const OCTETS: u32 = 4u;
const COLS: u32 = 1u;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let row0 = params.row_start + group.y * 8u * OCTETS;
    let col0 = group.x * 8u * COLS + lane;
    var sum: array<array<array<vec4<f32>, 8>, OCTETS>, COLS>;
    for (var k = 0u; k < params.k / 4u; k++) {
        var b: array<mat4x4<f32>, COLS>;
        for (var c = 0u; c < COLS; c++) {
            b[c] = right(col0 + 8u * c, k);
        }
        for (var r = 0u; r < OCTETS; r++) {
            let own = left(row0 + 8u * r + lane, k);
            let a0 = subgroupBroadcast(own, 0u);
            let a1 = subgroupBroadcast(own, 1u);
            let a2 = subgroupBroadcast(own, 2u);
            let a3 = subgroupBroadcast(own, 3u);
            let a4 = subgroupBroadcast(own, 4u);
            let a5 = subgroupBroadcast(own, 5u);
            let a6 = subgroupBroadcast(own, 6u);
            let a7 = subgroupBroadcast(own, 7u);
            for (var c = 0u; c < COLS; c++) {
                sum[c][r][0] += b[c] * a0;
                sum[c][r][1] += b[c] * a1;
                sum[c][r][2] += b[c] * a2;
                sum[c][r][3] += b[c] * a3;
                sum[c][r][4] += b[c] * a4;
                sum[c][r][5] += b[c] * a5;
                sum[c][r][6] += b[c] * a6;
                sum[c][r][7] += b[c] * a7;
            }
        }
    }
    // Raw sums are stored first and finished afterwards in a loop that stays a loop: an unrolled epilogue costs a CPU adapter
    // seconds to compile. Each invocation reads back its own writes only.
    for (var c = 0u; c < COLS; c++) {
        let col = col0 + 8u * c;
        if (col < params.n / 4u) {
            for (var r = 0u; r < OCTETS; r++) {
                for (var i = 0u; i < 8u; i++) {
                    let row = row0 + 8u * r + i;
                    if (row < params.m) {
                        store(row, col, sum[c][r][i]);
                    }
                }
            }
        }
    }
    if (HAS_FINISH) {
        let row_end = min(row0 + 8u * OCTETS, params.m);
        let col_end = min(col0 + 8u * COLS, params.n / 4u);
        for (var row = row0; row < row_end; row++) {
            for (var col = col0; col < col_end; col += 8u) {
                finish(row, col);
            }
        }
    }
}
