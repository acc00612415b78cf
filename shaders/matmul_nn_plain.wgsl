// matmul_nn_plain: dx[M,N] = dy[M,K] · w[K,N], optionally times act'(pre) and added to dx, for any M, N and K,
// one output per invocation: the input gradient of small heads. Grid: ceil(N / 8) by ceil(rows / 8) workgroups.
// Joined with common/activation.

override ACCUMULATE: bool = false; // dx += instead of dx =
override ACTIVATION: u32 = 0u; // the activation whose output was multiplied by w in the forward pass
override HAS_BASE: bool = false; // dx = base + scale · product, with the base in place of pre: an effective weight

struct Params {
    m: u32,
    n: u32,
    k: u32,
    row_start: u32, // the first row of this dispatch, when a product is split over several
    scale: f32, // of the product, where it has a base
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> pre: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

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
        value = fma(dy[row * params.k + k], w[k * params.n + col], value);
    }
    let at = row * params.n + col;
    if (ACTIVATION != 0u) {
        value *= activation_derivative(ACTIVATION, pre[at]);
    }
    if (HAS_BASE) {
        value = pre[at] + params.scale * value;
    }
    if (ACCUMULATE) {
        value += dx[at];
    }
    dx[at] = value;
}
