// Sums the columns of a matrix: the gradient of a bias.         sum[sum_start + c] (+)= sum_t x[t, c]
// One invocation per column walks down the rows: neighbours read neighbouring words.

override ACCUMULATE: bool = false;

struct Params { rows: u32, cols: u32, sum_start: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;          // (rows, cols)
@group(0) @binding(2) var<storage, read_write> sum: array<f32>;  // (sum_start + cols, at least)

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    if (c >= params.cols) {
        return;
    }
    var total = 0.0;
    for (var row = 0u; row < params.rows; row++) {
        total += x[row * params.cols + c];
    }
    if (ACCUMULATE) {
        total += sum[params.sum_start + c];
    }
    sum[params.sum_start + c] = total;
}
