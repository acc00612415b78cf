// Writes the positions of the selected entries in ascending order: all above the threshold, and as many of those
// equal to it, from the lowest position on, as are still wanted.
// One invocation per run of consecutive entries. Joined with common/grid, common/select.

struct Params { len: u32, n_runs: u32, per_run: u32, count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;               // (len)
@group(0) @binding(2) var<storage, read> state: array<u32>;           // threshold, entries above it
@group(0) @binding(3) var<storage, read> counts: array<u32>;          // (n_runs, 2), sums over the runs before
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;   // (count)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let run = grid_item(group, groups, local, 64u);
    if (run >= params.n_runs) {
        return;
    }
    let threshold = state[0];
    let n_ties_wanted = params.count - state[1];
    var n_above = counts[2u * run];
    var n_equal = counts[2u * run + 1u];
    let start = run * params.per_run;
    let end = min(start + params.per_run, params.len);
    for (var i = start; i < end; i++) {
        let key = select_key(x[i]);
        if (key > threshold) {
            indices[n_above + min(n_equal, n_ties_wanted)] = i;
            n_above++;
        } else if (key == threshold) {
            if (n_equal < n_ties_wanted) {
                indices[n_above + n_equal] = i;
            }
            n_equal++;
        }
    }
}
