// One AdamW step over a flat arena of parameters (Loshchilov and Hutter 2019, with bias correction):
//     g = clip * grad;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//     p = p (1 - lr * decay) - lr * (m / c1) / (sqrt(v / c2) + eps)
// Weight decay acts on elements before decay_end. Where the gradient norm is not finite nothing changes.
// Joined with common/grid.

struct Params {
    len: u32, decay_end: u32,
    learning_rate: f32, beta1: f32, beta2: f32, eps: f32, weight_decay: f32,
    bias_correction1: f32, bias_correction2: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grad: array<f32>;        // (len)
@group(0) @binding(2) var<storage, read> norm: array<f32>;        // norm, clipping scale, finite
@group(0) @binding(3) var<storage, read_write> value: array<f32>; // (len)
@group(0) @binding(4) var<storage, read_write> m: array<f32>;     // (len)
@group(0) @binding(5) var<storage, read_write> v: array<f32>;     // (len)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i >= params.len || norm[2] == 0.0) {
        return;
    }
    let g = grad[i] * norm[1];
    let first = params.beta1 * m[i] + (1.0 - params.beta1) * g;
    let second = params.beta2 * v[i] + (1.0 - params.beta2) * g * g;
    m[i] = first;
    v[i] = second;
    var p = value[i];
    if (i < params.decay_end) {
        p *= 1.0 - params.learning_rate * params.weight_decay;
    }
    let denominator = sqrt(second) / sqrt(params.bias_correction2) + params.eps;
    value[i] = p - params.learning_rate / params.bias_correction1 * first / denominator;
}
