// Sums and maxima over a workgroup, as a fixed tree: the same bits in every run.
// Expects WORKGROUP_SIZE (a power of two); must be reached by all invocations of the workgroup.

var<workgroup> reduce_scratch: array<f32, WORKGROUP_SIZE>;

fn reduce_sum(local: u32, value: f32) -> f32 {
    reduce_scratch[local] = value;
    workgroupBarrier();
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        if (local < half) {
            reduce_scratch[local] += reduce_scratch[local + half];
        }
        workgroupBarrier();
    }
    let total = reduce_scratch[0];
    // The next reduction writes the scratch again.
    workgroupBarrier();
    return total;
}

fn reduce_max(local: u32, value: f32) -> f32 {
    reduce_scratch[local] = value;
    workgroupBarrier();
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        if (local < half) {
            reduce_scratch[local] = max(reduce_scratch[local], reduce_scratch[local + half]);
        }
        workgroupBarrier();
    }
    let largest = reduce_scratch[0];
    workgroupBarrier();
    return largest;
}
