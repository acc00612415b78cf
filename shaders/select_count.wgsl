// Counts, for every run of consecutive entries, those above the threshold and those equal to it.
// One invocation per run. Joined with common/grid, common/select.

struct Params { len: u32, n_runs: u32, per_run: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;               // (len)
@group(0) @binding(2) var<storage, read> state: array<u32>;           // threshold, entries above it
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;    // (n_runs, 2)

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
    let start = run * params.per_run;
    let end = min(start + params.per_run, params.len);
    var n_above = 0u;
    var n_equal = 0u;
    for (var i = start; i < end; i++) {
        let key = select_key(x[i]);
        if (key > threshold) {
            n_above++;
        } else if (key == threshold) {
            n_equal++;
        }
    }
    counts[2u * run] = n_above;
    counts[2u * run + 1u] = n_equal;
}
