// Keeps loss and gradient norm of a step in a ring, so that the host need not read every step.
//     ring[slot] = (loss, gradient norm)

struct Params { slot: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> loss: array<f32>;             // (1)
@group(0) @binding(2) var<storage, read> norm: array<f32>;             // (3)
@group(0) @binding(3) var<storage, read_write> ring: array<vec2<f32>>; // (slots)

@compute @workgroup_size(1)
fn main() {
    ring[params.slot] = vec2<f32>(loss[0], norm[0]);
}
