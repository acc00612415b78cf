// matmul_nt_plain: y[M,N] = epilogue(x[M,K] · w[N,K]ᵀ) for any M, N and K, one output per invocation: small heads.
// The epilogue is that of matmul_nt: + bias, keep as `pre`, activation, dropout, + residual.
// Grid: ceil(N / 8) by ceil(rows / 8) workgroups.
// Joined with common/activation, common/random.

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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

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
        value = fma(x[row * params.k + k], w[col * params.k + k], value);
    }
    let at = row * params.n + col;
    if (HAS_BIAS) {
        value += bias[col];
    }
    if (STORE_PRE) {
        pre[at] = value;
    }
    if (ACTIVATION != 0u) {
        value = activation(ACTIVATION, value);
    }
    if (HAS_DROPOUT) {
        // A share of 1-rate of the values stays, scaled by 1/(1-rate); the mask is a function of the element's number alone.
        let draw = random_uniform(params.dropout_seed, params.dropout_stream, at);
        value = select(0.0, value / (1.0 - params.dropout_rate), draw >= params.dropout_rate);
    }
    if (HAS_RESIDUAL) {
        value += residual[at];
    }
    y[at] = value;
}
