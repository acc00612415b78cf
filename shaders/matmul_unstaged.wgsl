// Schedule of matmul_nt and matmul_nn without workgroup memory, for CPU adapters: each invocation owns a register block of
// 4·ROWS rows by 4·COLS columns, 8 invocations lie side by side, so a workgroup computes 4·ROWS rows by 32·COLS columns.
// Arrays are as long as the loops over them, which lets the compiler unroll the loops and keep the arrays in registers.

const ROWS: u32 = 2u;
const COLS: u32 = 2u;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row0 = params.row_start + group.y * 4u * ROWS;
    let col0 = group.x * 8u * COLS + lane;
    var sum: array<array<mat4x4<f32>, ROWS>, COLS>;
    for (var k = 0u; k < params.k / 4u; k++) {
        var a: array<mat4x4<f32>, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
            let row = row0 + 4u * r;
            a[r] = mat4x4<f32>(left(row, k), left(row + 1u, k), left(row + 2u, k), left(row + 3u, k));
        }
        for (var c = 0u; c < COLS; c++) {
            let b = right(col0 + 8u * c, k);
            for (var r = 0u; r < ROWS; r++) {
                sum[c][r] += b * a[r];
            }
        }
    }
    // Raw sums are stored first and finished afterwards in a loop that stays a loop: an unrolled epilogue costs a CPU adapter
    // seconds to compile. Each invocation reads back its own writes only.
    for (var c = 0u; c < COLS; c++) {
        let col = col0 + 8u * c;
        if (col < params.n / 4u) {
            for (var r = 0u; r < ROWS; r++) {
                for (var i = 0u; i < 4u; i++) {
                    let row = row0 + 4u * r + i;
                    if (row < params.m) {
                        store(row, col, sum[c][r][i]);
                    }
                }
            }
        }
    }
    if (HAS_FINISH) {
        let row_end = min(row0 + 4u * ROWS, params.m);
        let col_end = min(col0 + 8u * COLS, params.n / 4u);
        for (var row = row0; row < row_end; row++) {
            for (var col = col0; col < col_end; col += 8u) {
                finish(row, col);
            }
        }
    }
}
