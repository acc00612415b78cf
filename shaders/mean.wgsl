// Mean of a vector, by one workgroup.            mean[0] = sum(x) / len
// Joined with common/reduce.

override WORKGROUP_SIZE: u32 = 64u;

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;           // (len)
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;  // (1)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var i = local; i < params.len; i += WORKGROUP_SIZE) {
        sum += x[i];
    }
    sum = reduce_sum(local, sum);
    if (local == 0u) {
        mean[0] = sum / f32(params.len);
    }
}
