// Gradient of coefficients that columns were multiplied with:
//     d_coefficients[g] (+)= sum of x[t, j] * dy[t, j] over all rows t and the columns j of group g
// One workgroup per coefficient. Joined with common/grid, common/reduce.

override WORKGROUP_SIZE: u32 = 64u;
override ACCUMULATE: bool = false;

struct Params { rows: u32, cols: u32, group: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;                     // (rows, cols)
@group(0) @binding(2) var<storage, read> dy: array<f32>;                    // (rows, cols)
@group(0) @binding(3) var<storage, read_write> d_coefficients: array<f32>;  // (cols / group)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // An overshooting workgroup sums the last group again, so that all reach the barriers, and writes nothing.
    let number = grid_workgroup(workgroup, workgroups);
    let n_groups = params.cols / params.group;
    let first = min(number, n_groups - 1u) * params.group;
    var sum = 0.0;
    for (var i = local; i < params.rows * params.group; i += WORKGROUP_SIZE) {
        let at = i / params.group * params.cols + first + i % params.group;
        sum += x[at] * dy[at];
    }
    sum = reduce_sum(local, sum);
    if (local == 0u && number < n_groups) {
        if (ACCUMULATE) {
            sum += d_coefficients[number];
        }
        d_coefficients[number] = sum;
    }
}
