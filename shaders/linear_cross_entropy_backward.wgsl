// The gradient of the mean cross-entropy with respect to the logits of one chunk of the vocabulary, in their place:
//     d_logits[t, c] = (softmax_c - (1 - e) * [c = label] - e / n_vocab) * scale / rows
// stats are those that linear_cross_entropy_forward has after its last chunk. One invocation per logit.
// Joined with common/grid.

override HAS_BIAS: bool = false;

struct Params { rows: u32, cols: u32, start: u32, n_vocab: u32, label_smoothing: f32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bias: array<f32>;          // (n_vocab)
@group(0) @binding(2) var<storage, read> labels: array<u32>;        // (rows)
@group(0) @binding(3) var<storage, read> stats: array<vec4<f32>>;   // (rows): largest, sum of exp, sum, label's logit
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;  // (rows, cols), without the bias

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i >= params.rows * params.cols) {
        return;
    }
    let row = i / params.cols;
    let word = params.start + i % params.cols;
    var value = logits[i];
    if (HAS_BIAS) {
        value += bias[word];
    }
    var d = exp(value - stats[row].x) / stats[row].y - params.label_smoothing / f32(params.n_vocab);
    if (word == labels[row]) {
        d -= 1.0 - params.label_smoothing;
    }
    logits[i] = d * params.scale / f32(params.rows);
}
