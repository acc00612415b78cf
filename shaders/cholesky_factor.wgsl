// Cholesky factor of a small Gram matrix, in place.        gram + shift * trace * I = L L^T, L in the lower triangle
// One workgroup, column by column. A row that depends on those before it gets a unit pivot and no couplings, so that
// solving with L leaves what remains of it, next to nothing, as it is.
// SIZE is a constant because Mesa's software driver compiles a kernel anew for every dispatch whose loop bounds come
// from a uniform and look short enough to unroll.

override WORKGROUP_SIZE: u32 = 64u;
override SIZE: u32 = 16u;

struct Params { shift: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> gram: array<f32>;      // (SIZE, SIZE)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) local: u32) {
    var trace = 0.0;
    for (var i = 0u; i < SIZE; i++) {
        trace += gram[i * SIZE + i];
    }
    storageBarrier();
    for (var j = 0u; j < SIZE; j++) {
        // Every invocation works out the pivot for itself; that is cheaper than handing it round.
        var pivot = gram[j * SIZE + j] + params.shift * trace;
        for (var p = 0u; p < j; p++) {
            pivot -= gram[j * SIZE + p] * gram[j * SIZE + p];
        }
        let independent = pivot > 0.0;
        let diagonal = sqrt(max(pivot, 0.0));
        for (var i = j + 1u + local; i < SIZE; i += WORKGROUP_SIZE) {
            var value = gram[i * SIZE + j];
            for (var p = 0u; p < j; p++) {
                value -= gram[i * SIZE + p] * gram[j * SIZE + p];
            }
            if (independent) {
                gram[i * SIZE + j] = value / diagonal;
            } else {
                gram[i * SIZE + j] = 0.0;
            }
        }
        storageBarrier();
        // Nobody reads this diagonal entry again, so it may be written while others go on.
        if (local == 0u) {
            if (independent) {
                gram[j * SIZE + j] = diagonal;
            } else {
                gram[j * SIZE + j] = 1.0;
            }
        }
    }
}
