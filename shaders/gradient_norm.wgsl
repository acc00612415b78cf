// Second half of the global gradient norm, by one workgroup, and what clipping makes of it:
//     norm = [ sqrt(sum(partials)), min(1, max_norm / (norm + 1e-6)), 1 if the norm is finite else 0 ]
// A max_norm of 0 switches clipping off. Joined with common/reduce.

override WORKGROUP_SIZE: u32 = 64u;

struct Params { len: u32, max_norm: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;    // (len)
@group(0) @binding(2) var<storage, read_write> norm: array<f32>;  // (3)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var i = local; i < params.len; i += WORKGROUP_SIZE) {
        sum += partials[i];
    }
    sum = reduce_sum(local, sum);
    if (local == 0u) {
        let length = sqrt(sum);
        var scale = 1.0;
        if (params.max_norm > 0.0) {
            scale = min(1.0, params.max_norm / (length + 1.0e-6));
        }
        // WGSL lets compilers assume that NaN and infinity do not occur, so the exponent bits are tested.
        let finite = (bitcast<u32>(sum) & 0x7f800000u) != 0x7f800000u;
        norm[0] = length;
        norm[1] = scale;
        norm[2] = select(0.0, 1.0, finite);
    }
}
