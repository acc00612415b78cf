// Gradients of attention with respect to keys and values, from the log-sum-exp and d_i that the other two passes left:
//     dv[j] = sum_i dropped(p_ij) * d_out[i]        dk[j] = scale * sum_i p_ij * (g_ij - d_i) * q[i]
// One invocation per key row and head walks over the query rows of its sequence, those of a prefix over all. The rows of
// tokens follow the prefix, with key_ranges[token] = (first query row, one past the last query row, first token of the
// sequence, unused). Joined with attention_fours or attention_singles, common/grid, common/random.

const HEAD_SIZE: u32 = 32u; // The host may write another value here: private arrays cannot be sized by an override.
override HAS_DROPOUT: bool = false;

struct Params {
    rows: u32, heads: u32, scale: f32,
    key_stride: u32, dropout_seed: u32, dropout_stream: u32, dropout_rate: f32,
    n_prefix: u32, query_rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Part>;                // (query rows, heads, HEAD_SIZE)
@group(0) @binding(2) var<storage, read> k: array<Part>;                // (rows, heads, HEAD_SIZE)
@group(0) @binding(3) var<storage, read> v: array<Part>;                // (rows, heads, HEAD_SIZE)
@group(0) @binding(4) var<storage, read> key_ranges: array<vec4<u32>>;  // (rows - n_prefix)
@group(0) @binding(5) var<storage, read> d_out: array<Part>;            // (query rows, heads, HEAD_SIZE)
@group(0) @binding(6) var<storage, read> stats: array<vec2<f32>>;       // (query rows, heads): log-sum-exp, d_i
@group(0) @binding(7) var<storage, read_write> dk: array<Part>;         // (rows, heads, HEAD_SIZE)
@group(0) @binding(8) var<storage, read_write> dv: array<Part>;         // (rows, heads, HEAD_SIZE)

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
    var key: array<Part, PARTS>;
    var value: array<Part, PARTS>;
    var sum_k: array<Part, PARTS>;
    var sum_v: array<Part, PARTS>;
    for (var p = 0u; p < PARTS; p++) {
        key[p] = k[item * PARTS + p] * params.scale;
        value[p] = v[item * PARTS + p];
    }
    var range = vec4<u32>(0u, params.query_rows, 0u, 0u);
    if (row >= params.n_prefix) {
        range = key_ranges[row - params.n_prefix];
    }
    for (var i = range.x; i < range.y; i++) {
        let query_item = i * params.heads + head;
        let at = query_item * PARTS;
        var score = 0.0;
        var g = 0.0;
        for (var p = 0u; p < PARTS; p++) {
            score += part_dot(key[p], q[at + p]);
            g += part_dot(value[p], d_out[at + p]);
        }
        let probability = exp(score - stats[query_item].x);
        var kept = probability;
        if (HAS_DROPOUT) {
            let element = query_item * params.key_stride + (row - range.z);
            if (random_uniform(params.dropout_seed, params.dropout_stream, element) < params.dropout_rate) {
                kept = 0.0;
                g = 0.0;
            } else {
                kept /= 1.0 - params.dropout_rate;
                g /= 1.0 - params.dropout_rate;
            }
        }
        let d_score = probability * (g - stats[query_item].y);
        for (var p = 0u; p < PARTS; p++) {
            sum_v[p] += kept * d_out[at + p];
            sum_k[p] += d_score * q[at + p];
        }
    }
    for (var p = 0u; p < PARTS; p++) {
        dk[item * PARTS + p] = sum_k[p] * params.scale;
        dv[item * PARTS + p] = sum_v[p];
    }
}
