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

// Parts lie next to each other in memory along k; the staged schedule loads them in that order.
const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = true;

// The first and the end of the loop over k, in vec4 steps.
fn k_range() -> vec2<u32> {
    return vec2<u32>(0u, params.k / 4u);
}

// Row i of quad `quad` (rows 4·quad …) at four consecutive k. Rows past the end repeat the last one and are never written.
fn left_part(quad: u32, k: u32, i: u32) -> vec4<f32> {
    return x[min(4u * quad + i, params.m - 1u) * (params.k / 4u) + k];
}

// The parts of a quad as a matrix with one column per row of the quad.
fn left_block(p0: vec4<f32>, p1: vec4<f32>, p2: vec4<f32>, p3: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(p0, p1, p2, p3);
}

// Output column 4·col + i at four consecutive k.
fn right_part(col: u32, k: u32, i: u32) -> vec4<f32> {
    return w[(4u * min(col, params.n / 4u - 1u) + i) * (params.k / 4u) + k];
}

// The parts of four columns as a matrix with one row per column, so that right_block · left_block is a block of the product.
fn right_block(p0: vec4<f32>, p1: vec4<f32>, p2: vec4<f32>, p3: vec4<f32>) -> mat4x4<f32> {
    return transpose(mat4x4<f32>(p0, p1, p2, p3));
}

// A share of 1-rate of the values stays, scaled by 1/(1-rate), the others become zero; the mask is a function of the element's number alone.
fn dropout(element: u32, value: vec4<f32>) -> vec4<f32> {
    var kept = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
        let uniform_draw = random_uniform(params.dropout_seed, params.dropout_stream, element + i);
        kept[i] = select(0.0, value[i] / (1.0 - params.dropout_rate), uniform_draw >= params.dropout_rate);
    }
    return kept;
}

// Writes the product of four rows by four columns.
fn store_block(quad: u32, col: u32, block: mat4x4<f32>) {
    let n4 = params.n / 4u;
    for (var i = 0u; i < 4u; i++) {
        let row = 4u * quad + i;
        if (row < params.m && col < n4) {
            y[row * n4 + col] = block[i];
        }
    }
}

override HAS_FINISH: bool = HAS_BIAS || STORE_PRE || ACTIVATION != 0u || HAS_DROPOUT || HAS_RESIDUAL;

// The epilogue, on what store_block wrote. A schedule calls it in a loop that stays a loop: epilogues unrolled over a register
// block take a CPU adapter seconds to compile. The invocation reads back its own writes only.
fn finish_block(quad: u32, col: u32) {
    if (col < params.n / 4u) {
        let end = min(4u * quad + 4u, params.m);
        for (var row = 4u * quad; row < end; row++) {
            finish(row, col);
        }
    }
}

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
