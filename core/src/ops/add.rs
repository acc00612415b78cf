//! In-place addition: `y += scale · x`.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Extent, Kernel, ReferenceCall, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&ADD];

/// `y[i] += scale · x[i]`
pub static ADD: Kernel = Kernel {
    name: "add",
    source: wgsl!("add", "common/grid"),
    params: &[uint("len"), float("scale")],
    bindings: &[read("x"), write("y")],
    reference,
};

/// Adds `scale · x` to `y`, both of `len` elements.
pub fn add_in_place(tape: &mut Tape, x: &Slice, y: &Slice, len: Extent, scale: f32) {
    let params = [("len", len.into()), ("scale", scale.into())];
    tape.dispatch(&ADD, &[], &params, &[x, y], super::by_fours(len));
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (x, len, scale) = (call.floats("x"), call.uint("len"), call.float("scale"));
    call.update("y", |y| y[..len].iter_mut().zip(&x).for_each(|(y, x)| *y += scale * x));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op_gpu, input};
    use super::*;
    use crate::gpu::{Dim, Sizes};

    #[test]
    fn gpu_equals_reference_at_odd_and_folded_sizes() {
        for tokens in [1, 63, 65, 70_000] {
            let sizes = Sizes { tokens, ..Sizes::default() };
            // 70,000 rows of 64 need more than 65,535 workgroups.
            let cols = if tokens == 70_000 { 64 } else { 3 };
            let inputs = vec![input(Dim::Tokens, cols, &sizes, 1)];
            check_op_gpu(&sizes, inputs, |tape, _, x| {
                let y = tape.output(x[0].rows, x[0].cols, false);
                tape.clear(&y.slice);
                add_in_place(tape, &x[0].slice, &y.slice, y.len(), 2.5);
                y
            });
        }
    }
}
