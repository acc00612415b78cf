// Gradient of the sparse part: a sampled product of two dense matrices.
//     d_values[k] (+)= scale * sum_t dy[t, i_k] * x[t, j_k]        with (i_k, j_k) = indices[k] in a matrix of `cols` columns
// One workgroup per entry, its invocations share the tokens. Joined with common/grid, common/reduce.

override WORKGROUP_SIZE: u32 = 64u;
override ACCUMULATE: bool = false;

struct Params { len: u32, rows: u32, d_out: u32, d_in: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;          // (len)
@group(0) @binding(2) var<storage, read> dy: array<f32>;               // (rows, d_out)
@group(0) @binding(3) var<storage, read> x: array<f32>;                // (rows, d_in)
@group(0) @binding(4) var<storage, read_write> d_values: array<f32>;   // (len)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = grid_workgroup(group, groups);
    let index = indices[min(item, params.len - 1u)];
    let i = index / params.d_in;
    let j = index % params.d_in;
    var sum = 0.0;
    for (var t = local; t < params.rows; t += WORKGROUP_SIZE) {
        sum += dy[t * params.d_out + i] * x[t * params.d_in + j];
    }
    sum = params.scale * reduce_sum(local, sum);
    if (local == 0u && item < params.len) {
        if (ACCUMULATE) {
            sum += d_values[item];
        }
        d_values[item] = sum;
    }
}
