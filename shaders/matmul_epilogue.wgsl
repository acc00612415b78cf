// What follows a product where it is not part of the product's kernel.          y[M,N] = epilogue(scale · y[M,N])
// In this order: · scale, + bias, keep as `pre`, activation, dropout, + residual, as at the end of matmul_nt. On a CPU adapter
// the large kernel of a product is then the same everywhere, and only this small one is compiled for every epilogue.
// N is a multiple of 4. Grid: ceil(N / 32) by ceil(M / 16) workgroups; an invocation walks down sixteen rows of its four columns.
// Joined with common/activation, common/random.

override HAS_BIAS: bool = true;
override ACTIVATION: u32 = 0u;
override STORE_PRE: bool = false; // keep the pre-activation, which backward needs
override HAS_DROPOUT: bool = false;
override HAS_RESIDUAL: bool = false;

struct Params {
    m: u32,
    n: u32,
    scale: f32,
    dropout_seed: u32,
    dropout_stream: u32,
    dropout_rate: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bias: array<vec4<f32>>;       // (N)
@group(0) @binding(2) var<storage, read> residual: array<vec4<f32>>;   // (M, N)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;    // (M, N)
@group(0) @binding(4) var<storage, read_write> pre: array<vec4<f32>>;  // (M, N)

// The mask is a function of the element's number alone, so it is that of matmul_nt and of backward.
fn epilogue_factor(element: u32) -> f32 {
    let draw = random_uniform(params.dropout_seed, params.dropout_stream, element);
    return select(0.0, 1.0 / (1.0 - params.dropout_rate), draw >= params.dropout_rate);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n4 = params.n / 4u;
    let col = group.x * 8u + lane;
    if (col >= n4) {
        return;
    }
    var offset = vec4<f32>();
    if (HAS_BIAS) {
        offset = bias[col];
    }
    let end = min(group.y * 16u + 16u, params.m);
    for (var row = group.y * 16u; row < end; row++) {
        let at = row * n4 + col;
        var value = params.scale * y[at];
        if (HAS_BIAS) {
            value += offset;
        }
        if (STORE_PRE) {
            pre[at] = value;
        }
        if (ACTIVATION != 0u) {
            value = activation4(ACTIVATION, value);
        }
        if (HAS_DROPOUT) {
            let e = 4u * at;
            value *= vec4<f32>(
                epilogue_factor(e), epilogue_factor(e + 1u), epilogue_factor(e + 2u), epilogue_factor(e + 3u),
            );
        }
        if (HAS_RESIDUAL) {
            value += residual[at];
        }
        y[at] = value;
    }
}
