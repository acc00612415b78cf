// Cholesky factor of a small Gram matrix, in place.        gram + shift * trace * I = L L^T, L in the lower triangle
// One workgroup, column by column. A row that depends on those before it gets a unit pivot and no couplings, so that
// solving with L leaves what remains of it, next to nothing, as it is.

override WORKGROUP_SIZE: u32 = 64u;

struct Params { size: u32, shift: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> gram: array<f32>;      // (size, size)

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) local: u32) {
    let size = params.size;
    var trace = 0.0;
    for (var i = 0u; i < size; i++) {
        trace += gram[i * size + i];
    }
    storageBarrier();
    for (var j = 0u; j < size; j++) {
        // Every invocation works out the pivot for itself; that is cheaper than handing it round.
        var pivot = gram[j * size + j] + params.shift * trace;
        for (var p = 0u; p < j; p++) {
            pivot -= gram[j * size + p] * gram[j * size + p];
        }
        let independent = pivot > 0.0;
        let diagonal = sqrt(max(pivot, 0.0));
        for (var i = j + 1u + local; i < size; i += WORKGROUP_SIZE) {
            var value = gram[i * size + j];
            for (var p = 0u; p < j; p++) {
                value -= gram[i * size + p] * gram[j * size + p];
            }
            if (independent) {
                gram[i * size + j] = value / diagonal;
            } else {
                gram[i * size + j] = 0.0;
            }
        }
        storageBarrier();
        // Nobody reads this diagonal entry again, so it may be written while others go on.
        if (local == 0u) {
            if (independent) {
                gram[j * size + j] = diagonal;
            } else {
                gram[j * size + j] = 1.0;
            }
        }
    }
}
