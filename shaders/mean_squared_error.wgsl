// Squared error of every row and its gradient for `scale` times the mean over all rows:
//     loss[t] = (prediction - target)^2        d_prediction[t] = 2 * (prediction - target) * scale / rows
// Joined with common/grid.

struct Params { rows: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> predictions: array<f32>;          // (rows)
@group(0) @binding(2) var<storage, read> targets: array<f32>;              // (rows)
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;         // (rows)
@group(0) @binding(4) var<storage, read_write> d_predictions: array<f32>;  // (rows)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i >= params.rows) {
        return;
    }
    let error = predictions[i] - targets[i];
    losses[i] = error * error;
    d_predictions[i] = 2.0 * error * params.scale / f32(params.rows);
}
