// Cross-entropy over a vocabulary that is computed some rows at a time: takes in the logits of the words `start` to
// `start + cols`. With what the chunks before left in stats, per row:
//     loss[t] = lse - (1 - e) * logit of the label - e * mean(logits)
// which holds for the whole vocabulary once the last chunk is in. One workgroup per row.
// Joined with common/grid, common/reduce.

override WORKGROUP_SIZE: u32 = 64u;
override FIRST: bool = true; // no chunk came before
override HAS_BIAS: bool = false;

struct Params { rows: u32, cols: u32, start: u32, n_vocab: u32, label_smoothing: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;             // (rows, cols), without the bias
@group(0) @binding(2) var<storage, read> bias: array<f32>;               // (n_vocab)
@group(0) @binding(3) var<storage, read> labels: array<u32>;             // (rows)
@group(0) @binding(4) var<storage, read_write> stats: array<vec4<f32>>;  // (rows): largest, sum of exp, sum, label's logit
@group(0) @binding(5) var<storage, read_write> losses: array<f32>;       // (rows)

fn logit(row: u32, c: u32) -> f32 {
    let product = logits[row * params.cols + c];
    if (HAS_BIAS) {
        return product + bias[params.start + c];
    }
    return product;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // An overshooting workgroup reads the last row again, so that all reach the barriers, and writes nothing.
    let number = grid_workgroup(group, groups);
    let row = min(number, params.rows - 1u);
    var largest = -3.0e38;
    var sum_logits = 0.0;
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        let value = logit(row, c);
        largest = max(largest, value);
        sum_logits += value;
    }
    largest = reduce_max(local, largest);
    sum_logits = reduce_sum(local, sum_logits);
    var sum = 0.0;
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        sum += exp(logit(row, c) - largest);
    }
    sum = reduce_sum(local, sum);
    if (local > 0u || number >= params.rows) {
        return;
    }
    var all = vec4<f32>(largest, sum, sum_logits, 0.0);
    if (!FIRST) {
        let before = stats[row];
        all.x = max(before.x, largest);
        all.y = before.y * exp(before.x - all.x) + sum * exp(largest - all.x);
        all.z += before.z;
        all.w = before.w;
    }
    let label = labels[row] - params.start; // Wraps to a large number below the chunk.
    if (label < params.cols) {
        all.w = logit(row, label);
    }
    stats[row] = all;
    let smoothing = params.label_smoothing;
    losses[row] = all.x + log(all.y) - (1.0 - smoothing) * all.w - smoothing / f32(params.n_vocab) * all.z;
}
