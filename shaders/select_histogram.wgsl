// One pass of a radix search for the c-th largest |x|: counts the values of one 8-bit digit of the bit patterns,
// among entries whose higher digits equal the prefix found so far.
// Each workgroup counts its part in workgroup memory first. Integer sums do not depend on their order.
// Joined with common/grid, common/select.

override WORKGROUP_SIZE: u32 = 64u;

struct Params { len: u32, per_group: u32, shift: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;                           // (len)
@group(0) @binding(2) var<storage, read> state: array<u32>;                       // prefix, entries above it
@group(0) @binding(3) var<storage, read_write> histogram: array<atomic<u32>>;     // (256)

var<workgroup> counts: array<atomic<u32>, 256>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let start = grid_workgroup(group, groups) * params.per_group;
    let end = min(start + params.per_group, params.len);
    let prefix = state[0];
    for (var digit = local; digit < 256u; digit += WORKGROUP_SIZE) {
        atomicStore(&counts[digit], 0u);
    }
    workgroupBarrier();
    for (var i = start + local; i < end; i += WORKGROUP_SIZE) {
        let key = select_key(x[i]) >> params.shift;
        // Two shifts: a shift by 32 in one step is not defined.
        if ((key >> 8u) == prefix) {
            atomicAdd(&counts[key & 255u], 1u);
        }
    }
    workgroupBarrier();
    for (var digit = local; digit < 256u; digit += WORKGROUP_SIZE) {
        let count = atomicLoad(&counts[digit]);
        if (count > 0u) {
            atomicAdd(&histogram[digit], count);
        }
    }
}
