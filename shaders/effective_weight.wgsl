// The weight an adapted layer works with, without its sparse part.     out = base + scale * B A
// One invocation per entry; the rank is small, so no tiling is needed. Joined with common/grid.

struct Params { rows: u32, cols: u32, rank: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> base: array<f32>;       // (rows, cols), masked
@group(0) @binding(2) var<storage, read> a: array<f32>;          // (rank, cols)
@group(0) @binding(3) var<storage, read> b: array<f32>;          // (rows, rank)
@group(0) @binding(4) var<storage, read_write> out: array<f32>;  // (rows, cols)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = grid_item(group, groups, local, 64u);
    if (i >= params.rows * params.cols) {
        return;
    }
    let row = i / params.cols;
    let col = i % params.cols;
    var sum = 0.0;
    for (var r = 0u; r < params.rank; r++) {
        sum += b[row * params.rank + r] * a[r * params.cols + col];
    }
    out[i] = base[i] + params.scale * sum;
}
