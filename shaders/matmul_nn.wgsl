// matmul_nn: dx[M,N] = dy[M,K] · w[K,N], optionally times act'(pre) and added to dx: the input gradient of a linear layer,
// reading the same (out, in) weight as the forward product; K is the layer's output size here.
// K and N are multiples of 4, M is any number. A `matmul_*` schedule joined after this file holds `main`.

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
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> pre: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

// Parts lie next to each other in memory along k; the staged schedule loads them in that order.
const LEFT_ALONG_K: bool = true;
const RIGHT_ALONG_K: bool = false;

// The first and the end of the loop over k, in vec4 steps.
fn k_range() -> vec2<u32> {
    return vec2<u32>(0u, params.k / 4u);
}

// Row i of quad `quad` (rows 4·quad …) at four consecutive k. Rows past the end repeat the last one and are never written.
fn left_part(quad: u32, k: u32, i: u32) -> vec4<f32> {
    return dy[min(4u * quad + i, params.m - 1u) * (params.k / 4u) + k];
}

// The parts of a quad as a matrix with one column per row of the quad.
fn left_block(p0: vec4<f32>, p1: vec4<f32>, p2: vec4<f32>, p3: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(p0, p1, p2, p3);
}

// Row 4·k + i of w at four output columns.
fn right_part(col: u32, k: u32, i: u32) -> vec4<f32> {
    let stride = params.n / 4u;
    return w[(4u * k + i) * stride + min(col, stride - 1u)];
}

// The parts as they are: right_block · left_block is a block of the product, one column per row of dx.
fn right_block(p0: vec4<f32>, p1: vec4<f32>, p2: vec4<f32>, p3: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(p0, p1, p2, p3);
}

// Writes the product of four rows by four columns. Where it is accumulated nothing is left to finish, because what is read
// back would be more than the product.
fn store_block(quad: u32, col: u32, block: mat4x4<f32>) {
    let n4 = params.n / 4u;
    for (var i = 0u; i < 4u; i++) {
        let row = 4u * quad + i;
        let at = row * n4 + col;
        if (row < params.m && col < n4) {
            if (ACCUMULATE && ACTIVATION != 0u) {
                dx[at] += block[i] * activation_derivative4(ACTIVATION, pre[at]);
            } else if (ACCUMULATE) {
                dx[at] += block[i];
            } else {
                dx[at] = block[i];
            }
        }
    }
}

override HAS_FINISH: bool = HAS_BASE || (ACTIVATION != 0u && !ACCUMULATE);

// The epilogue, on what store_block wrote. A schedule calls it in a loop that stays a loop: epilogues unrolled over a register
// block take a CPU adapter seconds to compile. The invocation reads back its own writes only.
fn finish_block(quad: u32, col: u32) {
    let n4 = params.n / 4u;
    if (col < n4) {
        let end = min(4u * quad + 4u, params.m);
        for (var row = 4u * quad; row < end; row++) {
            let at = row * n4 + col;
            if (HAS_BASE) {
                dx[at] = pre[at] + params.scale * dx[at];
            } else {
                dx[at] *= activation_derivative4(ACTIVATION, pre[at]);
            }
        }
    }
}
