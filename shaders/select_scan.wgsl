// Replaces the counts of every run by the sums over the runs before it. One workgroup; each invocation owns a stretch
// of consecutive runs.

override WORKGROUP_SIZE: u32 = 64u;

struct Params { n_runs: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;    // (n_runs, 2)

var<workgroup> sums: array<vec2<u32>, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) local: u32) {
    let stretch = (params.n_runs + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let start = min(local * stretch, params.n_runs);
    let end = min(start + stretch, params.n_runs);
    var sum = vec2<u32>(0u);
    for (var run = start; run < end; run++) {
        sum += vec2<u32>(counts[2u * run], counts[2u * run + 1u]);
    }
    sums[local] = sum;
    workgroupBarrier();
    var before = vec2<u32>(0u);
    for (var other = 0u; other < local; other++) {
        before += sums[other];
    }
    for (var run = start; run < end; run++) {
        let own = vec2<u32>(counts[2u * run], counts[2u * run + 1u]);
        counts[2u * run] = before.x;
        counts[2u * run + 1u] = before.y;
        before += own;
    }
}
