// matmul_tn_subgroup: dw[M,N] = dy[K,M]ᵀ · x[K,N], optionally added to dw: the weight gradient of a linear layer over K tokens.
// For CPU adapters with subgroups of exactly 8 invocations (lavapipe). M and N are multiples of 4, K is any number.
// One subgroup computes 4·QUADS rows by 32·COLS columns. The 4·QUADS values of dy at one k are loaded once, a vec4 by each of
// the first QUADS invocations, and broadcast; each invocation owns COLS vec4 columns of every row.

override ACCUMULATE: bool = false; // dw += instead of dw =
override TRANSPOSE_OUT: bool = false; // write dwᵀ, an (N,M) matrix, instead
const QUADS: u32 = 8u; // 2, 4 or 8
const COLS: u32 = 1u;

struct Params {
    m: u32,
    n: u32,
    k: u32,
    row_start: u32, // the first row of this dispatch, when a product is split over several
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;

// The sums of four rows (columns of the matrix) by four columns (its rows) grow by one outer product.
fn outer(a: vec4<f32>, b: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(b * a.x, b * a.y, b * a.z, b * a.w);
}

fn store(at: u32, value: vec4<f32>) {
    if (ACCUMULATE) {
        dw[at] += value;
    } else {
        dw[at] = value;
    }
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let quad0 = params.row_start / 4u + group.y * QUADS;
    let col0 = group.x * 8u * COLS + lane;
    let m4 = params.m / 4u;
    let n4 = params.n / 4u;
    var sum: array<array<mat4x4<f32>, QUADS>, COLS>;
    for (var k = 0u; k < params.k; k++) {
        let own = dy[k * m4 + min(quad0 + lane % QUADS, m4 - 1u)];
        var b: array<vec4<f32>, COLS>;
        for (var c = 0u; c < COLS; c++) {
            b[c] = x[k * n4 + min(col0 + 8u * c, n4 - 1u)];
        }
        let a0 = subgroupBroadcast(own, 0u);
        let a1 = subgroupBroadcast(own, 1u);
        let a2 = subgroupBroadcast(own, 2u);
        let a3 = subgroupBroadcast(own, 3u);
        let a4 = subgroupBroadcast(own, 4u);
        let a5 = subgroupBroadcast(own, 5u);
        let a6 = subgroupBroadcast(own, 6u);
        let a7 = subgroupBroadcast(own, 7u);
        // With fewer quads the invocations repeat them, and a longer list costs nothing: unused sums fall away.
        let a = array<vec4<f32>, 8>(a0, a1, a2, a3, a4, a5, a6, a7);
        for (var c = 0u; c < COLS; c++) {
            for (var q = 0u; q < QUADS; q++) {
                sum[c][q] += outer(a[q], b[c]);
            }
        }
    }
    for (var c = 0u; c < COLS; c++) {
        let col = col0 + 8u * c;
        for (var q = 0u; q < QUADS; q++) {
            let quad = quad0 + q;
            if (col < n4 && quad < m4) {
                let block = sum[c][q];
                if (TRANSPOSE_OUT) {
                    let turned = transpose(block);
                    for (var i = 0u; i < 4u; i++) {
                        store((4u * col + i) * m4 + quad, turned[i]);
                    }
                } else {
                    for (var i = 0u; i < 4u; i++) {
                        store((4u * quad + i) * n4 + col, block[i]);
                    }
                }
            }
        }
    }
}
