// matmul_skinny: z[M,N] = x[M,K] · f with N small: tokens through a rank-N factor, forward (f is A, stored (N,K)) or backward
// (f is B, stored (K,N)). M is any number, N and K are multiples of 4.
// The factor is the left operand and the tokens are the columns of the schedule joined after this file, so that neighbouring
// invocations own neighbouring tokens and a small N wastes none of them; the grid has N along y and M along x.

override FACTOR_K_FIRST: bool = false; // f is stored (K,N) instead of (N,K)

struct Params {
    m: u32,
    n: u32,
    k: u32,
    row_start: u32, // always 0: the whole factor fits one dispatch
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> f: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> z: array<vec4<f32>>;

// Parts lie next to each other in memory along k; the staged schedule loads them in that order.
override LEFT_ALONG_K: bool = !FACTOR_K_FIRST;
const RIGHT_ALONG_K: bool = true;

// The first and the end of the loop over k, in vec4 steps.
fn k_range() -> vec2<u32> {
    return vec2<u32>(0u, params.k / 4u);
}

// Column 4·quad + i of z at four k, or four columns of z at k = 4·k + i.
fn left_part(quad: u32, k: u32, i: u32) -> vec4<f32> {
    let n4 = params.n / 4u;
    let q = min(quad, n4 - 1u);
    if (FACTOR_K_FIRST) {
        return f[(4u * k + i) * n4 + q];
    }
    return f[(4u * q + i) * (params.k / 4u) + k];
}

// The parts as a matrix with one column per column of z.
fn left_block(p0: vec4<f32>, p1: vec4<f32>, p2: vec4<f32>, p3: vec4<f32>) -> mat4x4<f32> {
    let parts = mat4x4<f32>(p0, p1, p2, p3);
    if (FACTOR_K_FIRST) {
        return transpose(parts);
    }
    return parts;
}

// Token 4·col + i at four consecutive k. Tokens past the end repeat the last one and are never written.
fn right_part(col: u32, k: u32, i: u32) -> vec4<f32> {
    return x[min(4u * col + i, params.m - 1u) * (params.k / 4u) + k];
}

fn right_block(p0: vec4<f32>, p1: vec4<f32>, p2: vec4<f32>, p3: vec4<f32>) -> mat4x4<f32> {
    return transpose(mat4x4<f32>(p0, p1, p2, p3));
}

// Writes four columns of z for four tokens.
fn store_block(quad: u32, col: u32, block: mat4x4<f32>) {
    let n4 = params.n / 4u;
    let by_token = transpose(block);
    for (var i = 0u; i < 4u; i++) {
        let token = 4u * col + i;
        if (token < params.m && quad < n4) {
            z[token * n4 + quad] = by_token[i];
        }
    }
}

const HAS_FINISH: bool = false;

fn finish_block(quad: u32, col: u32) {
}
