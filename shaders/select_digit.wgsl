// After one counting pass: finds the digit of the count-th largest entry, appends it to the prefix, and clears the
// histogram for the next pass. One invocation; 256 steps.

struct Params { count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> histogram: array<u32>; // (256)
@group(0) @binding(2) var<storage, read_write> state: array<u32>;     // prefix, entries above it

@compute @workgroup_size(1)
fn main() {
    var above = state[1];
    var found = 0u;
    var is_found = false;
    for (var step = 0u; step < 256u; step++) {
        let digit = 255u - step;
        let n = histogram[digit];
        histogram[digit] = 0u;
        if (!is_found) {
            if (above + n >= params.count) {
                found = digit;
                is_found = true;
            } else {
                above += n;
            }
        }
    }
    state[0] = (state[0] << 8u) | found;
    state[1] = above;
}
