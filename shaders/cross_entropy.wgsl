// Cross-entropy of softmax(logits) with label smoothing e, and its gradient for `scale` times the mean over all rows:
//     loss[t] = lse - (1 - e) * logits[label] - e * mean(logits)
//     d_logits[t, c] = (softmax_c - (1 - e) * [c = label] - e / cols) * scale / rows
// One workgroup per row. Joined with common/grid, common/reduce.

override WORKGROUP_SIZE: u32 = 64u;

struct Params { rows: u32, cols: u32, label_smoothing: f32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;          // (rows, cols)
@group(0) @binding(2) var<storage, read> labels: array<u32>;          // (rows)
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;    // (rows)
@group(0) @binding(4) var<storage, read_write> d_logits: array<f32>;  // (rows, cols)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // An overshooting workgroup computes the last row again; it writes the same values.
    let row = min(grid_workgroup(group, groups), params.rows - 1u);
    let start = row * params.cols;
    var largest = -3.0e38;
    var sum_logits = 0.0;
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        largest = max(largest, logits[start + c]);
        sum_logits += logits[start + c];
    }
    largest = reduce_max(local, largest);
    sum_logits = reduce_sum(local, sum_logits);
    var sum = 0.0;
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        sum += exp(logits[start + c] - largest);
    }
    sum = reduce_sum(local, sum);
    let label = labels[row];
    let uniform_share = params.label_smoothing / f32(params.cols);
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        var d = exp(logits[start + c] - largest) / sum - uniform_share;
        if (c == label) {
            d -= 1.0 - params.label_smoothing;
        }
        d_logits[start + c] = d * params.scale / f32(params.rows);
    }
    if (local == 0u) {
        let of_label = (1.0 - params.label_smoothing) * logits[start + label];
        losses[row] = largest + log(sum) - of_label - uniform_share * sum_logits;
    }
}
