// Layer normalisation over the last axis.               y = (x - mean) * rstd * weight + bias
// One workgroup per row. Saves mean and rstd, which the backward passes read. Joined with common/grid, common/reduce.

override WORKGROUP_SIZE: u32 = 64u;

struct Params { rows: u32, cols: u32, eps: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;                    // (rows, cols)
@group(0) @binding(2) var<storage, read> weight: array<f32>;               // (cols)
@group(0) @binding(3) var<storage, read> bias: array<f32>;                 // (cols)
@group(0) @binding(4) var<storage, read_write> y: array<f32>;              // (rows, cols)
@group(0) @binding(5) var<storage, read_write> mean_rstd: array<vec2<f32>>; // (rows)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // A folded grid may overshoot; the last row is then computed again instead of leaving before a barrier.
    let row = min(grid_workgroup(group, groups), params.rows - 1u);
    let start = row * params.cols;
    var sum = 0.0;
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        sum += x[start + c];
    }
    let mean = reduce_sum(local, sum) / f32(params.cols);
    // The centred second pass keeps digits that the difference of two large sums would lose.
    var squares = 0.0;
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        let centred = x[start + c] - mean;
        squares += centred * centred;
    }
    let variance = reduce_sum(local, squares) / f32(params.cols);
    let rstd = 1.0 / sqrt(variance + params.eps);
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        y[start + c] = (x[start + c] - mean) * rstd * weight[c] + bias[c];
    }
    if (local == 0u) {
        mean_rstd[row] = vec2<f32>(mean, rstd);
    }
}
