// Attention over cached keys and values, which lie anywhere in a pool of rows: key n of a sequence is row
// key_rows[sequence, n]. Query row i belongs to sequence places[i].x and meets its first places[i].y keys:
//     out[i, h] = sum_n softmax_n(scale * q[i, h] . keys[n, h]) * values[n, h]
// One invocation per query row and head, with a running maximum as in attention_forward.
// Joined with attention_fours or attention_singles, common/grid.

const HEAD_SIZE: u32 = 32u; // The host may write another value here: private arrays cannot be sized by an override.

struct Params { rows: u32, heads: u32, scale: f32, max_keys: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Part>;            // (rows, heads, HEAD_SIZE)
@group(0) @binding(2) var<storage, read> keys: array<Part>;         // (pool rows, heads, HEAD_SIZE)
@group(0) @binding(3) var<storage, read> values: array<Part>;       // (pool rows, heads, HEAD_SIZE)
@group(0) @binding(4) var<storage, read> key_rows: array<u32>;      // (sequences, max_keys)
@group(0) @binding(5) var<storage, read> places: array<vec2<u32>>;  // (rows): sequence, number of keys
@group(0) @binding(6) var<storage, read_write> out: array<Part>;    // (rows, heads, HEAD_SIZE)

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
    let head = item % params.heads;
    let place = places[item / params.heads];
    var query: array<Part, PARTS>;
    var sum: array<Part, PARTS>;
    for (var p = 0u; p < PARTS; p++) {
        query[p] = q[item * PARTS + p] * params.scale;
    }
    var largest = -3.0e38;
    var total = 0.0;
    for (var n = 0u; n < place.y; n++) {
        let at = (key_rows[place.x * params.max_keys + n] * params.heads + head) * PARTS;
        var score = 0.0;
        for (var p = 0u; p < PARTS; p++) {
            score += part_dot(query[p], keys[at + p]);
        }
        let previous = largest;
        largest = max(largest, score);
        let rescale = exp(previous - largest);
        let weight = exp(score - largest);
        total = total * rescale + weight;
        for (var p = 0u; p < PARTS; p++) {
            sum[p] = sum[p] * rescale + weight * values[at + p];
        }
    }
    for (var p = 0u; p < PARTS; p++) {
        out[item * PARTS + p] = sum[p] / total;
    }
}
