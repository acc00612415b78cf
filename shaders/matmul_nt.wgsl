// matmul_nt: y[M,N] = epilogue(x[M,K] · w[N,K]ᵀ): a linear layer over M tokens, its weight stored (out, in) as torch does.
// K and N are multiples of 4, M is any number. A `matmul_*` schedule joined after this file holds `main`.
// The epilogue is, in this order: + bias, keep as `pre`, activation, dropout, + residual.

override HAS_BIAS: bool = true;
override ACTIVATION: u32 = 0u;
override STORE_PRE: bool = false; // keep the pre-activation, which backward needs
override HAS_DROPOUT: bool = false;
override HAS_RESIDUAL: bool = false;

struct Params {
    m: u32,
    n: u32,
    k: u32,
    row_start: u32, // the first row of this dispatch, when a product is split over several
    dropout_seed: u32,
    dropout_stream: u32,
    dropout_rate: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> pre: array<vec4<f32>>;

// Four consecutive k of one row of x. Rows past the end repeat the last one; their results are never written.
fn left(row: u32, k: u32) -> vec4<f32> {
    return x[min(row, params.m - 1u) * (params.k / 4u) + k];
}

// Four k (columns of the result) by four output columns (its rows). `col` and `k` count vec4s.
fn right(col: u32, k: u32) -> mat4x4<f32> {
    let stride = params.k / 4u;
    let at = min(col, params.n / 4u - 1u) * params.k + k;
    return transpose(mat4x4<f32>(w[at], w[at + stride], w[at + 2u * stride], w[at + 3u * stride]));
}

// One value in 1/(1-rate) stays, the others become zero; the mask is a function of the element's number alone.
fn dropout(element: u32, value: vec4<f32>) -> vec4<f32> {
    var kept = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
        let uniform_draw = random_uniform(params.dropout_seed, params.dropout_stream, element + i);
        kept[i] = select(0.0, value[i] / (1.0 - params.dropout_rate), uniform_draw >= params.dropout_rate);
    }
    return kept;
}

// Writes four neighbouring columns of one row of the product.
fn store(row: u32, col: u32, product: vec4<f32>) {
    y[row * (params.n / 4u) + col] = product;
}

override HAS_FINISH: bool = HAS_BIAS || STORE_PRE || ACTIVATION != 0u || HAS_DROPOUT || HAS_RESIDUAL;

// The epilogue, on what `store` wrote.
fn finish(row: u32, col: u32) {
    let at = row * (params.n / 4u) + col;
    var value = y[at];
    if (HAS_BIAS) {
        value += bias[col];
    }
    if (STORE_PRE) {
        pre[at] = value;
    }
    if (ACTIVATION != 0u) {
        value = activation4(ACTIVATION, value);
    }
    if (HAS_DROPOUT) {
        value = dropout(4u * at, value);
    }
    if (HAS_RESIDUAL) {
        value += residual[at];
    }
    y[at] = value;
}
