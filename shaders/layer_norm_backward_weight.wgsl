// Gradients of layer normalisation with respect to weight and bias:
//     d_weight (+)= sum_t dy[t] * (x[t] - mean[t]) * rstd[t]        d_bias (+)= sum_t dy[t]
// One invocation per column walks down the rows: neighbours read neighbouring words. Only run when they are trained.

override ACCUMULATE: bool = false;

struct Params { rows: u32, cols: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;                // (rows, cols)
@group(0) @binding(2) var<storage, read> mean_rstd: array<vec2<f32>>;  // (rows)
@group(0) @binding(3) var<storage, read> dy: array<f32>;               // (rows, cols)
@group(0) @binding(4) var<storage, read_write> d_weight: array<f32>;   // (cols)
@group(0) @binding(5) var<storage, read_write> d_bias: array<f32>;     // (cols)

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    if (c >= params.cols) {
        return;
    }
    var sum_weight = 0.0;
    var sum_bias = 0.0;
    for (var row = 0u; row < params.rows; row++) {
        let d = dy[row * params.cols + c];
        let stats = mean_rstd[row];
        sum_weight += d * (x[row * params.cols + c] - stats.x) * stats.y;
        sum_bias += d;
    }
    if (ACCUMULATE) {
        sum_weight += d_weight[c];
        sum_bias += d_bias[c];
    }
    d_weight[c] = sum_weight;
    d_bias[c] = sum_bias;
}
