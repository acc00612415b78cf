// Attention over packed sequences.      out[i, h] = sum_j softmax_j(scale * q[i, h] . k[j, h]) * v[j, h]
// One invocation per query row and head walks once over the keys of its own sequence, with a running maximum, so no
// scores are stored. ranges[i] = (first token, one past the last token) of query row i; there is no padding to mask. The
// first n_prefix rows of k and v are a prefix that every query row meets; the rows of the tokens follow.
// Saves m + log(l) per row and head for the backward passes.
// Joined with attention_fours or attention_singles, common/grid, common/random.

const HEAD_SIZE: u32 = 32u; // The host may write another value here: private arrays cannot be sized by an override.
override HAS_DROPOUT: bool = false;

// key_stride: an upper bound of keys per row, which spreads the dropout counters.
struct Params {
    rows: u32, heads: u32, scale: f32,
    key_stride: u32, dropout_seed: u32, dropout_stream: u32, dropout_rate: f32,
    n_prefix: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Part>;                 // (rows, heads, HEAD_SIZE)
@group(0) @binding(2) var<storage, read> k: array<Part>;                 // (n_prefix + T, heads, HEAD_SIZE)
@group(0) @binding(3) var<storage, read> v: array<Part>;                 // (n_prefix + T, heads, HEAD_SIZE)
@group(0) @binding(4) var<storage, read> ranges: array<vec2<u32>>;       // (rows)
@group(0) @binding(5) var<storage, read_write> out: array<Part>;         // (rows, heads, HEAD_SIZE)
@group(0) @binding(6) var<storage, read_write> stats: array<vec2<f32>>;  // (rows, heads): log-sum-exp, unused

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = grid_item(group, groups, local, 64u);
    if (item >= params.rows * params.heads) {
        return;
    }
    let row = item / params.heads;
    let head = item % params.heads;
    var query: array<Part, PARTS>;
    var sum: array<Part, PARTS>;
    for (var p = 0u; p < PARTS; p++) {
        query[p] = q[item * PARTS + p] * params.scale;
    }
    // Lower than any score, yet finite: WGSL may assume that infinities do not occur.
    var largest = -3.0e38;
    var total = 0.0;
    let range = ranges[row];
    let n_keys = params.n_prefix + range.y - range.x;
    for (var n = 0u; n < n_keys; n++) {
        // The rows of k begin with the prefix, so that key n of a sequence lies range.x behind it.
        let j = select(range.x + n, n, n < params.n_prefix);
        let at = (j * params.heads + head) * PARTS;
        var score = 0.0;
        for (var p = 0u; p < PARTS; p++) {
            score += part_dot(query[p], k[at + p]);
        }
        let previous = largest;
        largest = max(largest, score);
        let rescale = exp(previous - largest);
        let weight = exp(score - largest);
        total = total * rescale + weight;
        var kept = weight;
        if (HAS_DROPOUT) {
            let element = item * params.key_stride + n;
            if (random_uniform(params.dropout_seed, params.dropout_stream, element) < params.dropout_rate) {
                kept = 0.0;
            } else {
                kept = weight / (1.0 - params.dropout_rate);
            }
        }
        for (var p = 0u; p < PARTS; p++) {
            sum[p] = sum[p] * rescale + kept * v[at + p];
        }
    }
    for (var p = 0u; p < PARTS; p++) {
        out[item * PARTS + p] = sum[p] / total;
    }
    stats[item] = vec2<f32>(largest + log(total), 0.0);
}
