// Gradient of attention with respect to the queries. With p_ij the probability and g_ij = d_out[i] . v[j] (dropped out
// like p): dq[i] = scale * sum_j p_ij * (g_ij - d_i) * k[j], where d_i = d_out[i] . out[i] is left in stats for
// attention_backward_key_value. One invocation per query row and head; keys are those of attention_forward.
// Joined with attention_fours or attention_singles, common/grid, common/random.

const HEAD_SIZE: u32 = 32u; // The host may write another value here: private arrays cannot be sized by an override.
override HAS_DROPOUT: bool = false;

struct Params {
    rows: u32, heads: u32, scale: f32,
    key_stride: u32, dropout_seed: u32, dropout_stream: u32, dropout_rate: f32,
    n_prefix: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Part>;                 // (rows, heads, HEAD_SIZE)
@group(0) @binding(2) var<storage, read> k: array<Part>;                 // (n_prefix + T, heads, HEAD_SIZE)
@group(0) @binding(3) var<storage, read> v: array<Part>;                 // (n_prefix + T, heads, HEAD_SIZE)
@group(0) @binding(4) var<storage, read> ranges: array<vec2<u32>>;       // (rows): first token, one past the last
@group(0) @binding(5) var<storage, read> out: array<Part>;               // (rows, heads, HEAD_SIZE)
@group(0) @binding(6) var<storage, read> d_out: array<Part>;             // (rows, heads, HEAD_SIZE)
@group(0) @binding(7) var<storage, read_write> stats: array<vec2<f32>>;  // (rows, heads): log-sum-exp, d_i
@group(0) @binding(8) var<storage, read_write> dq: array<Part>;          // (rows, heads, HEAD_SIZE)

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
    var upstream: array<Part, PARTS>;
    var sum: array<Part, PARTS>;
    var d = 0.0;
    for (var p = 0u; p < PARTS; p++) {
        query[p] = q[item * PARTS + p] * params.scale;
        upstream[p] = d_out[item * PARTS + p];
        d += part_dot(upstream[p], out[item * PARTS + p]);
    }
    let log_sum = stats[item].x;
    let range = ranges[row];
    let n_keys = params.n_prefix + range.y - range.x;
    for (var n = 0u; n < n_keys; n++) {
        // The rows of k begin with the prefix, so that key n of a sequence lies range.x behind it.
        let j = select(range.x + n, n, n < params.n_prefix);
        let at = (j * params.heads + head) * PARTS;
        var score = 0.0;
        var g = 0.0;
        for (var p = 0u; p < PARTS; p++) {
            score += part_dot(query[p], k[at + p]);
            g += part_dot(upstream[p], v[at + p]);
        }
        if (HAS_DROPOUT) {
            let element = item * params.key_stride + n;
            if (random_uniform(params.dropout_seed, params.dropout_stream, element) < params.dropout_rate) {
                g = 0.0;
            } else {
                g /= 1.0 - params.dropout_rate;
            }
        }
        let d_score = exp(score - log_sum) * (g - d);
        for (var p = 0u; p < PARTS; p++) {
            sum[p] += d_score * k[at + p];
        }
    }
    for (var p = 0u; p < PARTS; p++) {
        dq[item * PARTS + p] = sum[p] * params.scale;
    }
    stats[item] = vec2<f32>(log_sum, d);
}
