// As little as a dispatch can do: one invocation that adds to one number, so that dispatches wait for each other as
// those of a training step do.

struct Params { amount: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> total: array<f32>;  // (1)

@compute @workgroup_size(1)
fn main() {
    total[0] += params.amount;
}
