// matmul_tn: dw[M,N] = scale · dy[K,M]ᵀ · x[K,N], optionally added to dw: the weight gradient of a linear layer over K tokens.
// M and N are multiples of 4, K is any number. A `matmul_*` schedule joined after this file holds `main`.

override ACCUMULATE: bool = false; // dw += instead of dw =
override TRANSPOSE_OUT: bool = false; // dw is stored (N,M); a thin factor is quicker as the left operand than as the right

struct Params {
    m: u32,
    n: u32,
    k: u32,
    row_start: u32, // the first row of this dispatch, when a product is split over several
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;

// Parts lie next to each other in memory along k; the staged schedule loads them in that order.
const LEFT_ALONG_K: bool = false;
const RIGHT_ALONG_K: bool = false;

// The first and the end of the loop over the tokens, in steps of four.
fn k_range() -> vec2<u32> {
    return vec2<u32>(0u, (params.k + 3u) / 4u);
}

// Four columns of dy (rows of dw) at token 4·k + i, zero past the last token.
fn left_part(quad: u32, k: u32, i: u32) -> vec4<f32> {
    let token = 4u * k + i;
    let stride = params.m / 4u;
    let value = dy[min(token, params.k - 1u) * stride + min(quad, stride - 1u)];
    return select(vec4<f32>(), value, token < params.k);
}

// The parts of four tokens as a matrix with one column per row of dw.
fn left_block(p0: vec4<f32>, p1: vec4<f32>, p2: vec4<f32>, p3: vec4<f32>) -> mat4x4<f32> {
    return transpose(mat4x4<f32>(p0, p1, p2, p3));
}

// Four columns of x at token 4·k + i; past the last token they repeat it, and meet zeros.
fn right_part(col: u32, k: u32, i: u32) -> vec4<f32> {
    let stride = params.n / 4u;
    return x[min(4u * k + i, params.k - 1u) * stride + min(col, stride - 1u)];
}

// The parts as they are: right_block · left_block is a block of the product, one column per row of dw.
fn right_block(p0: vec4<f32>, p1: vec4<f32>, p2: vec4<f32>, p3: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(p0, p1, p2, p3);
}

// Writes the product of four rows by four columns.
fn store_block(quad: u32, col: u32, block: mat4x4<f32>) {
    let m4 = params.m / 4u;
    let n4 = params.n / 4u;
    if (quad >= m4 || col >= n4) {
        return;
    }
    let turned = transpose(block);
    for (var i = 0u; i < 4u; i++) {
        let at = select((4u * quad + i) * n4 + col, (4u * col + i) * m4 + quad, TRANSPOSE_OUT);
        var value = block[i];
        if (TRANSPOSE_OUT) {
            value = turned[i];
        }
        value *= params.scale;
        if (ACCUMULATE) {
            value += dw[at];
        }
        dw[at] = value;
    }
}

const HAS_FINISH: bool = false;

fn finish_block(quad: u32, col: u32) {
}
