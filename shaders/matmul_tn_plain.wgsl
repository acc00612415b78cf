// matmul_tn_plain: dw[M,N] = scale · dy[K,M]ᵀ · x[K,N], optionally added to dw, for any M, N and K, one output per invocation:
// the weight gradient of small heads. Grid: ceil(N / 8) by ceil(rows / 8) workgroups.

override ACCUMULATE: bool = false; // dw += instead of dw =

struct Params {
    m: u32,
    n: u32,
    k: u32,
    row_start: u32, // the first row of this dispatch, when a product is split over several
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = params.row_start + id.y;
    let col = id.x;
    if (row >= params.m || col >= params.n) {
        return;
    }
    // One chain of sums along k, in order, so the result does not depend on the adapter's tiles.
    var value = 0.0;
    for (var k = 0u; k < params.k; k++) {
        value = fma(dy[k * params.m + row], x[k * params.n + col], value);
    }
    let at = row * params.n + col;
    value *= params.scale;
    if (ACCUMULATE) {
        value += dw[at];
    }
    dw[at] = value;
}
