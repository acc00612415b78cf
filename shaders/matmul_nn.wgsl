// matmul_nn: dx[M,N] = dy[M,K] · w[K,N], optionally times act'(pre) and added to dx: the input gradient of a linear layer,
// reading the same (out, in) weight as the forward product; K is the layer's output size here.
// K and N are multiples of 4, M is any number. A `matmul_*` schedule joined after this file holds `main`.

override ACCUMULATE: bool = false; // dx += instead of dx =
override ACTIVATION: u32 = 0u; // the activation whose output was multiplied by w in the forward pass

struct Params {
    m: u32,
    n: u32,
    k: u32,
    row_start: u32, // the first row of this dispatch, when a product is split over several
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> pre: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

// Four consecutive k of one row of dy. Rows past the end repeat the last one; their results are never written.
fn left(row: u32, k: u32) -> vec4<f32> {
    return dy[min(row, params.m - 1u) * (params.k / 4u) + k];
}

// Four k (columns of the result) by four output columns (its rows). `col` and `k` count vec4s.
fn right(col: u32, k: u32) -> mat4x4<f32> {
    let stride = params.n / 4u;
    let at = 4u * k * stride + min(col, stride - 1u);
    return mat4x4<f32>(w[at], w[at + stride], w[at + 2u * stride], w[at + 3u * stride]);
}

// Writes four neighbouring columns of one row of the product. Where the sum is accumulated nothing is left to finish,
// because what is read back would be more than the product.
fn store(row: u32, col: u32, product: vec4<f32>) {
    let at = row * (params.n / 4u) + col;
    if (ACCUMULATE && ACTIVATION != 0u) {
        dx[at] += product * activation_derivative4(ACTIVATION, pre[at]);
    } else if (ACCUMULATE) {
        dx[at] += product;
    } else {
        dx[at] = product;
    }
}

override HAS_FINISH: bool = ACTIVATION != 0u && !ACCUMULATE;

// The epilogue, on what `store` wrote.
fn finish(row: u32, col: u32) {
    let at = row * (params.n / 4u) + col;
    dx[at] *= activation_derivative4(ACTIVATION, pre[at]);
}
