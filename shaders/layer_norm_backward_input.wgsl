// Gradient of layer normalisation with respect to its input, with g = dy * weight and h = (x - mean) * rstd:
//     dx (+)= rstd * (g - mean(g) - h * mean(g * h))
// One workgroup per row. Joined with common/grid, common/reduce.

override WORKGROUP_SIZE: u32 = 64u;
override ACCUMULATE: bool = false;

struct Params { rows: u32, cols: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;               // (rows, cols)
@group(0) @binding(2) var<storage, read> weight: array<f32>;          // (cols)
@group(0) @binding(3) var<storage, read> mean_rstd: array<vec2<f32>>; // (rows)
@group(0) @binding(4) var<storage, read> dy: array<f32>;              // (rows, cols)
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;        // (rows, cols)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = grid_workgroup(group, groups);
    let row = min(item, params.rows - 1u);
    let start = row * params.cols;
    let mean = mean_rstd[row].x;
    let rstd = mean_rstd[row].y;
    var sum_g = 0.0;
    var sum_gh = 0.0;
    for (var c = local; c < params.cols; c += WORKGROUP_SIZE) {
        let g = dy[start + c] * weight[c];
        sum_g += g;
        sum_gh += g * (x[start + c] - mean) * rstd;
    }
    let mean_g = reduce_sum(local, sum_g) / f32(params.cols);
    let mean_gh = reduce_sum(local, sum_gh) / f32(params.cols);
    // An overshooting workgroup must not add its row a second time.
    let end = select(0u, params.cols, item < params.rows);
    for (var c = local; c < end; c += WORKGROUP_SIZE) {
        let h = (x[start + c] - mean) * rstd;
        var value = rstd * (dy[start + c] * weight[c] - mean_g - h * mean_gh);
        if (ACCUMULATE) {
            value += dx[start + c];
        }
        dx[start + c] = value;
    }
}
